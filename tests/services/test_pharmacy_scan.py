"""Tests scanning on a real database: accepted codes, changed rows and counters."""

from uuid import UUID

import pytest

from server.clinical.entities import PrescriptionStatus
from server.date_range import Period
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    QrCodeInvalid,
)
from server.pharmacy.entities import HistoryFilter, PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from server.qr import signed_code
from server.qr.signed_code import QrContent
from tests.fixtures.pharmacy import QR_KEYS, PharmacyPeople, Written
from tests.fixtures.pharmacy_steps import FIRST_PAGE, current, prescribe, scan_and_validate

S = PrescriptionStatus
A = PharmacyAction
EVERYTHING = HistoryFilter(Period(), None)


async def test_first_scan_makes_pending_prescription_scanned(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    found = await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    again = await pharmacy.scan(pharmacy_people.colleague, f"{written.qr_text}\r\n")
    assert (found.prescription.status, found.can_dispense) == (S.SCANNED, True)
    assert (found.prescription.qr_code.scan_count, again.prescription.qr_code.scan_count) == (1, 2)
    stored = await current(work, written)
    assert (stored.status, stored.qr_code.scan_count) == (S.SCANNED, 2)
    log = await pharmacy.log(pharmacy_people.pharmacist, written.id, FIRST_PAGE)
    assert [(entry.action, entry.from_status, entry.to_status) for entry in log.items] == [
        (A.SCAN, S.PENDING, S.SCANNED),
        (A.SCAN, S.SCANNED, S.SCANNED),
    ]


async def test_claimed_prescription_is_dispensed_only_by_its_holder(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    assert (await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)).can_dispense
    (seen_by_other,) = (await pharmacy.look_up(pharmacy_people.colleague, written.number)).found
    assert (seen_by_other.prescription.status, seen_by_other.can_dispense) == (S.VALIDATED, False)


def sealed(prescription_id: UUID, code_id: UUID) -> str:
    content = QrContent(prescription_id, code_id)
    return signed_code.encode(content, signed_code.new_nonce(), QR_KEYS.key_ids[0], QR_KEYS)


async def test_a_code_that_the_database_does_not_know_is_invalid(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    other = await prescribe(work, pharmacy_people)
    texts = [
        sealed(written.id, new_id()),
        sealed(new_id(), new_id()),
        sealed(new_id(), written.code_id),
        sealed(written.id, other.code_id),
        written.qr_text[:-1],
    ]
    for qr_text in texts:
        with pytest.raises(QrCodeInvalid):
            await pharmacy.scan(pharmacy_people.pharmacist, qr_text)
    assert (await current(work, written)).status is S.PENDING
