"""Tests rejections on a real database: which prescriptions can be rejected, and who is notified."""

import pytest

from server.clinical.entities import PrescriptionStatus
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    PrescriptionInState,
)
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.fixtures.pharmacy_steps import current, mails, scan_and_validate
from tests.fixtures.prescriptions import line

S = PrescriptionStatus


@pytest.mark.parametrize("validated", [False, True])
async def test_reject_notifies_patient_and_doctor(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written, validated: bool
) -> None:
    await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    if validated:
        await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")
    rejected = await pharmacy.reject(pharmacy_people.pharmacist, written.id, "dose too high")
    stored = await current(work, written)
    assert (rejected.status, stored.status, stored.status_reason) == (S.REJECTED, S.REJECTED, "dose too high")
    assert sorted(await mails(work), key=str) == sorted(
        [
            ("rejected", pharmacy_people.patient.user_id, written.id, {}),
            ("rejected", pharmacy_people.doctor.user_id, written.id, {}),
        ],
        key=str,
    )


async def test_reject_after_partial_dispense_fails(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(prescription.items[0], 1)], "")
    with pytest.raises(PrescriptionInState):
        await pharmacy.reject(pharmacy_people.pharmacist, written.id, "too late")
    await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")
    with pytest.raises(PrescriptionInState) as refusal:
        await pharmacy.reject(pharmacy_people.pharmacist, written.id, "too late")
    assert refusal.value.metadata == {"state": S.VALIDATED}
