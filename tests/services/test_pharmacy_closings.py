"""Tests closing the rest of a partly dispensed prescription on a real database."""

import pytest

from server.clinical.entities import PrescriptionStatus
from server.db.unit_of_work import UnitOfWork
from server.errors import ClaimedByOther, NotFound, PrescriptionClosed, PrescriptionInState
from server.pagination import PageRequest
from server.pharmacy.entities import PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.fixtures.pharmacy_steps import current, mails, scan_and_validate
from tests.fixtures.prescriptions import line

S = PrescriptionStatus


async def dispense_a_part(pharmacy: PharmacyService, written: Written, pharmacy_people: PharmacyPeople) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(prescription.items[0], 1)], "")


@pytest.mark.parametrize("validated", [False, True])
async def test_close_notifies_both_and_shows_on_the_receipt(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written, validated: bool
) -> None:
    await dispense_a_part(pharmacy, written, pharmacy_people)
    if validated:
        await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")
    closed = await pharmacy.close(pharmacy_people.pharmacist, written.id, "not available")
    stored = await current(work, written)
    assert (closed.status, stored.status, stored.status_reason, stored.claim) == (
        S.CLOSED,
        S.CLOSED,
        "not available",
        None,
    )
    told = {(kind, recipient) for kind, recipient, *_ in await mails(work) if kind == "closed"}
    assert told == {("closed", pharmacy_people.patient.user_id), ("closed", pharmacy_people.doctor.user_id)}
    for reader in (pharmacy_people.patient, pharmacy_people.pharmacist):
        receipt = await pharmacy.receipt(reader, written.id)
        assert (receipt.status, receipt.closing_reason, len(receipt.lines)) == (S.CLOSED, "not available", 1)
    with pytest.raises(PrescriptionClosed):
        await pharmacy.close(pharmacy_people.pharmacist, written.id, "again")


async def test_close_before_a_part_is_dispensed_fails(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    with pytest.raises(PrescriptionInState) as refusal:
        await pharmacy.close(pharmacy_people.pharmacist, written.id, "not available")
    assert refusal.value.metadata == {"state": S.VALIDATED}


async def test_close_by_another_pharmacy_needs_a_scan_and_no_claim(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await dispense_a_part(pharmacy, written, pharmacy_people)
    with pytest.raises(NotFound):
        await pharmacy.close(pharmacy_people.colleague, written.id, "not available")
    await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")
    await pharmacy.scan(pharmacy_people.colleague, written.qr_text)
    with pytest.raises(ClaimedByOther):
        await pharmacy.close(pharmacy_people.colleague, written.id, "not available")
    await pharmacy.release(pharmacy_people.pharmacist, written.id)
    assert (await pharmacy.close(pharmacy_people.colleague, written.id, "not available")).status is S.CLOSED


async def test_close_is_logged_with_its_reason(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await dispense_a_part(pharmacy, written, pharmacy_people)
    await pharmacy.close(pharmacy_people.pharmacist, written.id, "not available")
    last = (await pharmacy.log(pharmacy_people.pharmacist, written.id, PageRequest(50, ""))).items[-1]
    assert (last.action, last.to_status, last.notes) == (PharmacyAction.CLOSE, S.CLOSED, "not available")
