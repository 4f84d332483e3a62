"""Tests dispensing on a real database: changed rows, unchanged rows, and notices."""

from decimal import Decimal
from uuid import UUID

import pytest

from server.clinical.entities import PrescriptionStatus
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    NotFound,
    ValidationFailed,
)
from server.mailer.entities import DispensedMedicine
from server.mailer.storage.dispenses import DispenseRepository
from server.pharmacy.entities import DispensedLine, HistoryFilter, PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.clock import SettableClock
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service
from tests.fixtures.pharmacy_steps import FIRST_PAGE, current, mails, run, scan_and_validate
from tests.fixtures.prescriptions import line

S = PrescriptionStatus
A = PharmacyAction


async def test_dispense_in_two_parts_ends_dispensed_with_receipt(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    first, second = prescription.items
    some = await pharmacy.dispense(
        pharmacy_people.pharmacist, written.id, [line(first, 8, unit_price=Decimal("0.10"))], "half"
    )
    assert (some.prescription.status, some.total_amount, some.currency) == (
        S.PARTIALLY_DISPENSED,
        Decimal("0.80"),
        "EUR",
    )
    assert [item.remaining_quantity for item in some.prescription.items] == [12, 10]

    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.colleague)
    rest = await pharmacy.dispense(
        pharmacy_people.colleague, written.id, [line(item) for item in prescription.items], ""
    )
    assert (rest.prescription.status, rest.total_amount) == (S.DISPENSED, Decimal("275.00"))
    stored = await current(work, written)
    assert (stored.status, stored.claim) == (S.DISPENSED, None)
    assert stored.fulfilled_at == rest.prescription.fulfilled_at is not None
    assert stored.items == rest.prescription.items

    mine = await pharmacy.receipt(pharmacy_people.pharmacist, written.id)
    whole = await pharmacy.receipt(pharmacy_people.patient, written.id)
    assert [(item.medicine_name, item.quantity, item.total) for item in mine.lines] == [
        ("Medicine 1", Decimal(8), Decimal("0.80"))
    ]
    assert [(item.item_id, item.quantity) for item in whole.lines] == [
        (first.id, Decimal(8)),
        (first.id, Decimal(12)),
        (second.id, Decimal(10)),
    ]
    assert (whole.total_amount, whole.currency, whole.status) == (Decimal("275.80"), "EUR", S.DISPENSED)
    assert {item.pharmacy_name for item in whole.lines} == {"Fred Pharmacist's", "Carla Colleague's"}


async def test_two_batches_of_an_item_are_one_dispense_of_two_lines(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    first, second = prescription.items
    batches = [
        line(first, Decimal("2.5"), batch_number="B-2", product_code="04012345678901"),
        line(second),
        line(first, Decimal("17.5")),
    ]
    done = await pharmacy.dispense(pharmacy_people.pharmacist, written.id, batches, "")
    assert (done.prescription.status, done.total_amount) == (S.DISPENSED, Decimal("375.00"))
    for reader in (pharmacy_people.pharmacist, pharmacy_people.patient):
        receipt = await pharmacy.receipt(reader, written.id)
        assert [(each.item_id, each.batch_number, each.quantity, each.product_code) for each in receipt.lines] == [
            (first.id, "B-2", Decimal("2.5"), "04012345678901"),
            (first.id, "B-1", Decimal("17.5"), ""),
            (second.id, "B-1", Decimal(10), ""),
        ]
    log_id = UUID((await mails(work))[0][3]["log_id"])
    async with work.read() as tx:
        (told,) = (await tx[DispenseRepository].by_log_ids([log_id])).values()
    assert [(each.medicine_name, each.quantity) for each in told.lines] == [
        ("Medicine 1", Decimal(20)),
        ("Medicine 2", Decimal(10)),
    ]


def given(line: DispensedLine | DispensedMedicine) -> tuple[str, Decimal, str, str]:
    return line.medicine_name, line.quantity, line.dispensed_medicine_name, line.substitution_reason


async def test_substitute_is_on_receipt_history_and_email(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    first, second = prescription.items
    other = {"dispensed_medicine_name": "Generic 1", "substitution_reason": "Not in stock."}
    parts = [line(first, 5), line(first, 15, **other), line(second, dispensed_medicine_name=" medicine  2")]
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, parts, "")
    history = await pharmacy.history(pharmacy_people.pharmacist, HistoryFilter(Period(), A.DISPENSE), FIRST_PAGE)
    receipts = [
        await pharmacy.receipt(each, written.id) for each in (pharmacy_people.pharmacist, pharmacy_people.patient)
    ]
    log_id = UUID((await mails(work))[0][3]["log_id"])
    async with work.read() as tx:
        (told,) = (await tx[DispenseRepository].by_log_ids([log_id])).values()
    expected = [
        ("Medicine 1", Decimal(5), "", ""),
        ("Medicine 1", Decimal(15), "Generic 1", "Not in stock."),
        ("Medicine 2", Decimal(10), "", ""),
    ]
    for lines in (history.items[0].lines, *(receipt.lines for receipt in receipts)):
        assert [given(each) for each in lines] == expected
    assert [given(each) for each in told.lines] == expected


async def test_dispense_sends_email_that_names_its_log_entry(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(prescription.items[0])], "")
    (entry,) = (
        await pharmacy.history(pharmacy_people.pharmacist, HistoryFilter(Period(), A.DISPENSE), FIRST_PAGE)
    ).items
    assert await mails(work) == [("dispensed", pharmacy_people.patient.user_id, written.id, {"log_id": str(entry.id)})]


async def test_dispense_to_patient_without_account_sends_no_email(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await run(work, "UPDATE patients SET user_id = NULL WHERE id = :id", id=pharmacy_people.patient_id)
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(prescription.items[0])], "")
    assert await mails(work) == []


async def test_one_bad_line_leaves_everything_as_it_was(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    lines = [line(prescription.items[0]), line(prescription.items[1], 11)]
    with pytest.raises(ValidationFailed):
        await pharmacy.dispense(pharmacy_people.pharmacist, written.id, lines, "")
    stored = await current(work, written)
    assert (stored.status, stored.items) == (S.VALIDATED, prescription.items)
    assert await mails(work) == []
    with pytest.raises(NotFound):
        await pharmacy.receipt(pharmacy_people.pharmacist, written.id)


async def test_a_batch_is_judged_by_the_hospitals_day(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, written: Written, clock: SettableClock
) -> None:
    pharmacy = a_service(work, clock.clock)
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    last_day = [line(prescription.items[0], 1, expiry_date=clock.clock.today())]
    clock.forward(days=1)
    with pytest.raises(ValidationFailed):
        await pharmacy.dispense(pharmacy_people.pharmacist, written.id, last_day, "")
    clock.forward(days=-1)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, last_day, "")
