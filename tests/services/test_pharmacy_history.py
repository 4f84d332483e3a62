"""Tests which past actions pharmacists and patients may read, on a real database."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from server.clock import Clock
from server.date_range import Period
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    NotFound,
    PageTokenInvalid,
    ValidationFailed,
)
from server.pagination import PageRequest
from server.pharmacy.entities import HistoryFilter, PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service, open_pharmacy
from tests.fixtures.pharmacy_steps import FIRST_PAGE, run, scan_and_validate
from tests.fixtures.prescriptions import line

A = PharmacyAction
EVERYTHING = HistoryFilter(Period(), None)


async def test_history_shows_own_actions_newest_first_with_lines(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(item) for item in prescription.items], "all")
    page = await pharmacy.history(pharmacy_people.pharmacist, EVERYTHING, FIRST_PAGE)
    assert [entry.action for entry in page.items] == [A.DISPENSE, A.VALIDATE, A.SCAN]
    assert [len(entry.lines) for entry in page.items] == [2, 0, 0]
    dispense = page.items[0]
    assert (dispense.prescription_number, dispense.patient_name) == (written.number, "Paula Patient")
    assert (dispense.notes, page.total_size) == ("all", 3)
    assert (await pharmacy.history(pharmacy_people.colleague, EVERYTHING, FIRST_PAGE)).items == ()


async def test_history_pages_hold_each_entry_once_and_bind_tokens(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    for _ in range(5):
        await pharmacy.scan(pharmacy_people.pharmacist, written.qr_text)
    pages = [await pharmacy.history(pharmacy_people.pharmacist, EVERYTHING, PageRequest(2, ""))]
    while pages[-1].next_page_token:
        token = pages[-1].next_page_token
        pages.append(await pharmacy.history(pharmacy_people.pharmacist, EVERYTHING, PageRequest(2, token)))
    assert [(len(page.items), page.total_size) for page in pages] == [(2, 5), (2, 5), (1, 5)]
    assert len({entry.id for page in pages for entry in page.items}) == 5
    second = PageRequest(2, pages[0].next_page_token)
    with pytest.raises(PageTokenInvalid):
        await pharmacy.history(pharmacy_people.colleague, EVERYTHING, second)
    with pytest.raises(PageTokenInvalid):
        await pharmacy.history(pharmacy_people.pharmacist, HistoryFilter(Period(), A.SCAN), second)


async def test_history_filters_by_action_and_by_hospital_days(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, written: Written
) -> None:
    pharmacy = a_service(work, replace(Clock(), zone=ZoneInfo("Asia/Tokyo")))
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    # 23:30 in Tokyo on the 9th, and 00:30 on the 10th.
    for action, moment in (("scan", "2026-03-09 14:30+00"), ("validate", "2026-03-09 15:30+00")):
        await run(
            work,
            "UPDATE pharmacy_log SET occurred_at = CAST(CAST(:moment AS text) AS timestamptz) WHERE action = :action",
            moment=moment,
            action=action,
        )

    async def actions(first: date | None, last: date | None, action: PharmacyAction | None = None) -> list[A]:
        page = await pharmacy.history(
            pharmacy_people.pharmacist, HistoryFilter(Period(first, last), action), FIRST_PAGE
        )
        return [entry.action for entry in page.items]

    ninth, tenth = date(2026, 3, 9), date(2026, 3, 10)
    assert await actions(ninth, ninth) == [A.SCAN]
    assert await actions(tenth, None) == [A.VALIDATE]
    assert await actions(ninth, tenth) == [A.VALIDATE, A.SCAN]
    assert await actions(None, None, A.SCAN) == [A.SCAN]
    with pytest.raises(ValidationFailed):
        await actions(tenth, ninth)


async def test_log_for_acting_pharmacists_lists_oldest_first(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.release(pharmacy_people.pharmacist, written.id)
    with pytest.raises(NotFound):
        await pharmacy.log(pharmacy_people.colleague, written.id, FIRST_PAGE)
    await pharmacy.look_up(pharmacy_people.colleague, written.number)
    page = await pharmacy.log(pharmacy_people.colleague, written.id, PageRequest(3, ""))
    rest = await pharmacy.log(pharmacy_people.colleague, written.id, PageRequest(3, page.next_page_token))
    assert [entry.action for entry in (*page.items, *rest.items)] == [A.SCAN, A.VALIDATE, A.RELEASE, A.LOOKUP]
    assert (page.total_size, rest.total_size, rest.next_page_token) == (4, 4, "")


async def test_receipt_is_visible_to_patient_and_dispenser(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    empty = await pharmacy.receipt(pharmacy_people.patient, written.id)
    assert not empty.lines
    assert (empty.total_amount, empty.currency) == (Decimal(0), "EUR")
    prescription = await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)
    await pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(prescription.items[0])], "")
    await pharmacy.scan(pharmacy_people.colleague, written.qr_text)
    async with work.begin() as tx:
        stranger = (await open_pharmacy(tx.connection)).patient
    for reader in (pharmacy_people.colleague, stranger, pharmacy_people.doctor):
        with pytest.raises(NotFound):
            await pharmacy.receipt(reader, written.id)
    with pytest.raises(NotFound):
        await pharmacy.receipt(pharmacy_people.patient, new_id())
