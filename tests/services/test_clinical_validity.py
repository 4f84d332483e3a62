"""Tests when a prescription begins and ends to be valid, on a real database."""

from datetime import datetime, time, timedelta

from server.clinical.entities import NewPrescription, PrescriptionStatus
from server.clinical.validity import LaterValidity
from tests.fixtures.clinical import FIRST_PAGE, ITEM, Clinic


async def test_prescription_for_a_later_day_lasts_to_its_last_midnight(clinic: Clinic) -> None:
    zone, day = clinic.clock.zone, clinic.clock.today() + timedelta(days=40)
    new = NewPrescription(clinic.paula.id, None, "Bronchitis", "", (ITEM,), day, 10)
    written = await clinic.prescriptions.create(clinic.doctor, new)
    starts_at, ends_at = (datetime.combine(day + timedelta(days=days), time.min, zone) for days in (0, 10))
    assert (written.status, written.later_validity) == (
        PrescriptionStatus.PENDING,
        LaterValidity(day, starts_at, ends_at),
    )
    assert (written.expires_at, written.qr_code.expires_at) == (ends_at, starts_at + timedelta(days=7))
    pending = await clinic.prescriptions.list_mine(clinic.paula_caller, [PrescriptionStatus.PENDING], FIRST_PAGE)
    assert [prescription.id for prescription in pending.items] == [written.id]
    replaced = await clinic.qr_codes.reissue(clinic.paula_caller, written.id)
    assert replaced.qr_code.expires_at == starts_at + timedelta(days=7)
    await clinic.qr_codes.send_by_mail(clinic.doctor, written.id)
    cancelled = await clinic.prescriptions.cancel(clinic.doctor, written.id, "not needed")
    assert cancelled.status is PrescriptionStatus.CANCELLED


async def test_days_of_a_prescription_that_is_valid_at_once(clinic: Clinic) -> None:
    for day in (None, clinic.clock.today()):
        new = NewPrescription(clinic.paula.id, None, "Bronchitis", "", (ITEM,), day, 3)
        written = await clinic.prescriptions.create(clinic.doctor, new)
        assert (written.later_validity, written.expires_at - written.created_at) == (None, timedelta(days=3))
        assert written.qr_code.expires_at == written.expires_at.replace(microsecond=0)
