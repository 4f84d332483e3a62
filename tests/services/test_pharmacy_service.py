"""What pharmacists do, on the real database: who may, what changes, who is told."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from server.clinical.entities import Prescription, PrescriptionStatus
from server.clinical.period import Period
from server.clinical.reference_number import new_patient_reference, new_prescription_number
from server.clock import Clock
from server.db.identifiers import new_id
from server.errors import (
    ClaimedByOther,
    DeclaredError,
    NotFound,
    PageTokenInvalid,
    PrescriptionCancelled,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionInState,
    PrescriptionRejected,
    QrCodeExpired,
    QrCodeInvalid,
    QrCodeReplaced,
    RateLimitExceeded,
    ReferenceNumberInvalid,
    ValidationFailed,
)
from server.identity import Caller
from server.mail.tables import emails
from server.pagination import PageRequest
from server.pharmacy.entities import HistoryFilter, PharmacyAction
from server.pharmacy.service import PharmacyService
from server.qr import signed_code
from server.qr.signed_code import QrContent
from server.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.fixtures.pharmacy import QR_KEYS, TODAY, Ward, Written, a_service, line, open_ward

S = PrescriptionStatus
A = PharmacyAction

EVERYTHING = HistoryFilter(Period(), None)
FIRST = PageRequest(20, "")


@pytest.fixture
async def ward(work: UnitOfWork) -> Ward:
    async with work.begin() as tx:
        return await open_ward(tx.connection)


@pytest.fixture
def service(work: UnitOfWork) -> PharmacyService:
    return a_service(work)


@pytest.fixture
async def written(work: UnitOfWork, ward: Ward) -> Written:
    return await prescribe(work, ward)


async def prescribe(work: UnitOfWork, ward: Ward, **row: Any) -> Written:
    async with work.begin() as tx:
        return await ward.prescribe(tx.connection, **row)


async def alter(work: UnitOfWork, written: Written, changes: str) -> None:
    async with work.begin() as tx:
        await written.alter(tx.connection, changes)


async def run(work: UnitOfWork, statement: str, **parameters: object) -> None:
    async with work.begin() as tx:
        await tx.connection.execute(text(statement), parameters)


async def current(work: UnitOfWork, written: Written) -> Prescription:
    async with work.read() as tx:
        return await tx.prescriptions.get(written.id)


async def held(service: PharmacyService, written: Written, caller: Caller) -> Prescription:
    await service.scan(caller, written.qr_text)
    return (await service.validate(caller, written.id, "")).prescription


# Scanning


async def test_a_first_scan_makes_a_pending_prescription_scanned_and_counts(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    found = await service.scan(ward.pharmacist, written.qr_text)
    again = await service.scan(ward.colleague, f"{written.qr_text}\r\n")
    assert (found.prescription.status, found.can_dispense) == (S.SCANNED, True)
    assert (found.prescription.qr_code.scan_count, again.prescription.qr_code.scan_count) == (1, 2)
    stored = await current(work, written)
    assert (stored.status, stored.qr_code.scan_count) == (S.SCANNED, 2)
    log = await service.log(ward.pharmacist, written.id, FIRST)
    assert [(entry.action, entry.from_status, entry.to_status) for entry in log.items] == [
        (A.SCAN, S.PENDING, S.SCANNED),
        (A.SCAN, S.SCANNED, S.SCANNED),
    ]


async def test_a_claimed_prescription_can_be_dispensed_by_its_holder_only(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    await held(service, written, ward.pharmacist)
    assert (await service.scan(ward.pharmacist, written.qr_text)).can_dispense
    (seen_by_other,) = await service.look_up(ward.colleague, written.number)
    assert (seen_by_other.prescription.status, seen_by_other.can_dispense) == (S.VALIDATED, False)


def sealed(prescription_id: UUID, code_id: UUID) -> str:
    moment = Clock().now()
    content = QrContent(prescription_id, code_id, moment, moment + timedelta(days=7))
    return signed_code.encode(content, signed_code.new_nonce(), None, QR_KEYS)


async def test_a_code_that_the_database_does_not_know_is_invalid(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    other = await prescribe(work, ward)
    texts = [
        sealed(written.id, new_id()),
        sealed(new_id(), new_id()),
        sealed(new_id(), written.code_id),
        sealed(written.id, other.code_id),
        written.qr_text[:-1],
    ]
    for qr_text in texts:
        with pytest.raises(QrCodeInvalid):
            await service.scan(ward.pharmacist, qr_text)
    assert (await current(work, written)).status is S.PENDING


async def test_a_replaced_code_is_refused_and_the_new_one_works(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    new_code = new_id()
    await run(work, "UPDATE qr_codes SET replaced_at = now() WHERE id = :id", id=written.code_id)
    await run(
        work,
        "INSERT INTO qr_codes (id, prescription_id, key_id, nonce, qr_hash, issued_at, expires_at)"
        " VALUES (:id, :prescription, 'k', '', 'other', now(), now() + interval '7 days')",
        id=new_code,
        prescription=written.id,
    )
    with pytest.raises(QrCodeReplaced):
        await service.scan(ward.pharmacist, written.qr_text)
    found = await service.scan(ward.pharmacist, sealed(written.id, new_code))
    assert found.prescription.qr_code.scan_count == 1


async def test_the_stored_expiry_of_a_code_wins_over_what_its_text_says(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    await run(work, "UPDATE qr_codes SET expires_at = now() WHERE id = :id", id=written.code_id)
    with pytest.raises(QrCodeExpired) as refusal:
        await service.scan(ward.pharmacist, written.qr_text)
    assert set(refusal.value.metadata) == {"expired_at"}
    assert (await current(work, written)).qr_code.scan_count == 0


FINAL = [
    ("status = 'dispensed', fulfilled_at = now()", PrescriptionDispensed),
    ("status = 'rejected'", PrescriptionRejected),
    ("status = 'cancelled'", PrescriptionCancelled),
    ("status = 'expired'", PrescriptionExpired),
    ("expires_at = now()", PrescriptionExpired),
]


@pytest.mark.parametrize(("changes", "error"), FINAL)
async def test_scan_and_lookup_of_a_final_prescription_say_what_ended_it_and_count_nothing(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written, changes: str, error: type[DeclaredError]
) -> None:
    await alter(work, written, changes)
    with pytest.raises(error) as scanned:
        await service.scan(ward.pharmacist, written.qr_text)
    with pytest.raises(error):
        await service.look_up(ward.pharmacist, written.number)
    assert set(scanned.value.metadata) == {"state", "changed_at"}
    assert (await current(work, written)).qr_code.scan_count == 0
    assert (await service.history(ward.pharmacist, EVERYTHING, FIRST)).items == ()


# Looking up


async def test_a_number_is_found_as_people_type_it_and_the_lookup_counts_as_seen(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    (found,) = await service.look_up(ward.pharmacist, f" {written.number.lower()} ")
    assert (found.prescription.id, found.prescription.status) == (written.id, S.SCANNED)
    assert found.can_dispense
    assert (await service.validate(ward.pharmacist, written.id, "")).prescription.status is S.VALIDATED


async def test_a_reference_finds_what_is_open_newest_first_and_logs_each(
    work: UnitOfWork, ward: Ward, service: PharmacyService
) -> None:
    older = await prescribe(work, ward, created_at=text("now() - interval '2 days'"))
    newer = await prescribe(work, ward)
    for changes, _ in FINAL:
        await alter(work, await prescribe(work, ward), changes)
    found = await service.look_up(ward.pharmacist, ward.reference_number)
    assert [one.prescription.id for one in found] == [newer.id, older.id]
    assert {one.prescription.status for one in found} == {S.SCANNED}
    history = await service.history(ward.pharmacist, EVERYTHING, FIRST)
    assert {entry.prescription_id for entry in history.items} == {older.id, newer.id}
    assert {entry.action for entry in history.items} == {A.LOOKUP}


async def test_a_patient_with_nothing_open_is_no_miss(work: UnitOfWork, ward: Ward, service: PharmacyService) -> None:
    for _ in range(6):
        assert await service.look_up(ward.pharmacist, ward.reference_number) == ()


async def test_after_five_misses_in_a_minute_nothing_is_told_to_that_pharmacist(
    work: UnitOfWork, ward: Ward, written: Written, clock: SettableClock
) -> None:
    service = a_service(work, clock.clock)
    for number in (new_prescription_number(TODAY), new_patient_reference(TODAY)) * 2:
        with pytest.raises(NotFound):
            await service.look_up(ward.pharmacist, number)
    for _ in range(10):
        assert await service.look_up(ward.pharmacist, written.number)
    with pytest.raises(NotFound):
        await service.look_up(ward.pharmacist, new_prescription_number(TODAY))
    for number in (new_prescription_number(TODAY), written.number):
        with pytest.raises(RateLimitExceeded) as refusal:
            await service.look_up(ward.pharmacist, number)
        assert refusal.value.metadata == {"limit": "lookup_misses"}
        assert refusal.value.retry_after == pytest.approx(12)
    assert await service.look_up(ward.colleague, written.number)
    clock.forward(seconds=12.1)
    assert await service.look_up(ward.pharmacist, written.number)


async def test_a_text_that_is_no_number_is_refused_without_a_miss(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    for _ in range(6):
        with pytest.raises(ReferenceNumberInvalid):
            await service.look_up(ward.pharmacist, "RX-20261122-00000000")
    assert await service.look_up(ward.pharmacist, written.number)


# Claiming


async def test_validating_gives_a_lease_by_database_time_and_logs_the_notes(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    await service.scan(ward.pharmacist, written.qr_text)
    validation = await service.validate(ward.pharmacist, written.id, "checked")
    assert validation.claim_expires_at == validation.prescription.as_of + timedelta(minutes=30)
    stored = await current(work, written)
    assert stored.claim == validation.prescription.claim
    log = await service.log(ward.pharmacist, written.id, FIRST)
    last = log.items[-1]
    assert (last.action, last.from_status, last.to_status) == (A.VALIDATE, S.SCANNED, S.VALIDATED)
    assert (last.notes, last.pharmacist_name, last.pharmacy_name) == (
        "checked",
        "Fred Pharmacist",
        "Fred Pharmacist's",
    )


Step = Callable[[PharmacyService, Caller, Written], Awaitable[object]]


async def _validate(service: PharmacyService, caller: Caller, written: Written) -> object:
    return await service.validate(caller, written.id, "")


async def _dispense(service: PharmacyService, caller: Caller, written: Written) -> object:
    return await service.dispense(caller, written.id, [], "")


async def _reject(service: PharmacyService, caller: Caller, written: Written) -> object:
    return await service.reject(caller, written.id, "forged")


async def _release(service: PharmacyService, caller: Caller, written: Written) -> object:
    return await service.release(caller, written.id)


STEPS = [_validate, _dispense, _reject, _release]


@pytest.mark.parametrize("step", STEPS)
async def test_who_never_saw_a_prescription_cannot_tell_it_from_one_that_does_not_exist(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written, step: Step
) -> None:
    absent = Written(new_id(), "", new_id(), "")
    await service.scan(ward.pharmacist, written.qr_text)
    for target in (written, absent):
        with pytest.raises(NotFound) as refusal:
            await step(service, ward.colleague, target)
        assert refusal.value.metadata == {"resource": "prescription"}
    for changes, _ in FINAL:
        await alter(work, written, changes)
        with pytest.raises(NotFound):
            await step(service, ward.colleague, written)
        await alter(work, written, "status = 'scanned', fulfilled_at = NULL")


@pytest.mark.parametrize("step", STEPS)
async def test_who_saw_it_long_ago_must_look_again_before_he_validates_or_rejects(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written, step: Step
) -> None:
    await service.scan(ward.pharmacist, written.qr_text)
    await run(work, "UPDATE pharmacy_log SET occurred_at = now() - interval '24 hours'")
    expected = NotFound if step in (_validate, _reject) else PrescriptionInState
    with pytest.raises(expected):
        await step(service, ward.pharmacist, written)


async def test_a_validation_is_no_look_at_the_prescription(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    await held(service, written, ward.pharmacist)
    await run(work, "UPDATE pharmacy_log SET occurred_at = now() - interval '25 hours' WHERE action = 'scan'")
    with pytest.raises(NotFound):
        await service.validate(ward.pharmacist, written.id, "")


@pytest.mark.parametrize("step", STEPS[1:])
async def test_a_claim_keeps_off_even_those_who_never_saw_the_prescription(
    ward: Ward, service: PharmacyService, written: Written, step: Step
) -> None:
    await held(service, written, ward.pharmacist)
    with pytest.raises(ClaimedByOther):
        await step(service, ward.colleague, written)


async def test_validating_what_another_holds_tells_who_has_seen_it_and_nobody_else(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    await held(service, written, ward.pharmacist)
    with pytest.raises(NotFound):
        await service.validate(ward.colleague, written.id, "")
    await service.scan(ward.colleague, written.qr_text)
    with pytest.raises(ClaimedByOther) as refusal:
        await service.validate(ward.colleague, written.id, "")
    assert set(refusal.value.metadata) == {"state", "claim_expires_at"}


async def test_a_lapsed_lease_lets_another_validate_and_refuses_the_former_holder(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    await alter(work, written, "claim_expires_at = now()")
    lines = [line(item) for item in prescription.items]
    with pytest.raises(PrescriptionInState) as lapsed:
        await service.dispense(ward.pharmacist, written.id, lines, "")
    assert lapsed.value.metadata == {"state": S.SCANNED}
    assert (await service.scan(ward.colleague, written.qr_text)).can_dispense
    await service.validate(ward.colleague, written.id, "")
    with pytest.raises(ClaimedByOther):
        await service.dispense(ward.pharmacist, written.id, lines, "")
    dispensed = await service.dispense(ward.colleague, written.id, lines, "")
    assert dispensed.prescription.status is S.DISPENSED


async def test_a_claim_taken_in_time_may_be_finished_after_the_validity(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    await alter(work, written, "expires_at = now() - interval '1 minute'")
    some = await service.dispense(ward.pharmacist, written.id, [line(prescription.items[0])], "")
    assert some.prescription.status is S.EXPIRED
    assert (await current(work, written)).status is S.EXPIRED


async def test_releasing_gives_back_what_was_claimed(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    await held(service, written, ward.pharmacist)
    released = await service.release(ward.pharmacist, written.id)
    stored = await current(work, written)
    assert (released.status, stored.status, stored.claim) == (S.SCANNED, S.SCANNED, None)
    with pytest.raises(PrescriptionInState):
        await service.release(ward.pharmacist, written.id)


# Dispensing


async def test_dispensing_in_two_parts_ends_dispensed_and_keeps_a_receipt(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    first, second = prescription.items
    some = await service.dispense(ward.pharmacist, written.id, [line(first, 8, unit_price=Decimal("0.10"))], "half")
    assert (some.prescription.status, some.total_amount, some.currency) == (
        S.PARTIALLY_DISPENSED,
        Decimal("0.80"),
        "EUR",
    )
    assert [item.remaining_quantity for item in some.prescription.items] == [12, 10]

    prescription = await held(service, written, ward.colleague)
    rest = await service.dispense(ward.colleague, written.id, [line(item) for item in prescription.items], "")
    assert (rest.prescription.status, rest.total_amount) == (S.DISPENSED, Decimal("275.00"))
    stored = await current(work, written)
    assert (stored.status, stored.claim) == (S.DISPENSED, None)
    assert stored.fulfilled_at == rest.prescription.fulfilled_at is not None
    assert stored.items == rest.prescription.items

    mine = await service.receipt(ward.pharmacist, written.id)
    whole = await service.receipt(ward.patient, written.id)
    assert [(item.medicine_name, item.quantity, item.total) for item in mine.lines] == [
        ("Medicine 1", 8, Decimal("0.80"))
    ]
    assert [(item.item_id, item.quantity) for item in whole.lines] == [
        (first.id, 8),
        (first.id, 12),
        (second.id, 10),
    ]
    assert (whole.total_amount, whole.currency, whole.status) == (Decimal("275.80"), "EUR", S.DISPENSED)
    assert {item.pharmacy_name for item in whole.lines} == {"Fred Pharmacist's", "Carla Colleague's"}


async def test_the_patient_is_told_of_a_dispense_by_a_mail_that_names_its_log_entry(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    await service.dispense(ward.pharmacist, written.id, [line(prescription.items[0])], "")
    (entry,) = (await service.history(ward.pharmacist, HistoryFilter(Period(), A.DISPENSE), FIRST)).items
    assert await mails(work) == [("dispensed", ward.patient.user_id, written.id, {"log_id": str(entry.id)})]


async def test_a_patient_without_an_account_gets_no_mail(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    await run(work, "UPDATE patients SET user_id = NULL WHERE id = :id", id=ward.patient_id)
    prescription = await held(service, written, ward.pharmacist)
    await service.dispense(ward.pharmacist, written.id, [line(prescription.items[0])], "")
    assert await mails(work) == []


async def test_one_bad_line_leaves_everything_as_it_was(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    lines = [line(prescription.items[0]), line(prescription.items[1], 11)]
    with pytest.raises(ValidationFailed):
        await service.dispense(ward.pharmacist, written.id, lines, "")
    stored = await current(work, written)
    assert (stored.status, stored.items) == (S.VALIDATED, prescription.items)
    assert await mails(work) == []
    with pytest.raises(NotFound):
        await service.receipt(ward.pharmacist, written.id)


async def test_a_batch_is_judged_by_the_hospitals_day(
    work: UnitOfWork, ward: Ward, written: Written, clock: SettableClock
) -> None:
    service = a_service(work, clock.clock)
    prescription = await held(service, written, ward.pharmacist)
    last_day = [line(prescription.items[0], 1, expiry_date=clock.clock.today())]
    clock.forward(days=1)
    with pytest.raises(ValidationFailed):
        await service.dispense(ward.pharmacist, written.id, last_day, "")
    clock.forward(days=-1)
    await service.dispense(ward.pharmacist, written.id, last_day, "")


# Rejecting


@pytest.mark.parametrize("validated", [False, True])
async def test_a_rejection_tells_patient_and_doctor(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written, validated: bool
) -> None:
    await service.scan(ward.pharmacist, written.qr_text)
    if validated:
        await service.validate(ward.pharmacist, written.id, "")
    rejected = await service.reject(ward.pharmacist, written.id, "dose too high")
    stored = await current(work, written)
    assert (rejected.status, stored.status, stored.status_reason) == (S.REJECTED, S.REJECTED, "dose too high")
    assert sorted(await mails(work), key=str) == sorted(
        [
            ("rejected", ward.patient.user_id, written.id, {}),
            ("rejected", ward.doctor.user_id, written.id, {}),
        ],
        key=str,
    )


async def test_what_was_handed_out_in_part_cannot_be_rejected(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    await service.dispense(ward.pharmacist, written.id, [line(prescription.items[0], 1)], "")
    with pytest.raises(PrescriptionInState):
        await service.reject(ward.pharmacist, written.id, "too late")
    await service.validate(ward.pharmacist, written.id, "")
    with pytest.raises(PrescriptionInState) as refusal:
        await service.reject(ward.pharmacist, written.id, "too late")
    assert refusal.value.metadata == {"state": S.VALIDATED}


async def mails(work: UnitOfWork) -> list[tuple[str, UUID, UUID, dict[str, str]]]:
    async with work.read() as tx:
        columns = (emails.c.kind, emails.c.recipient_id, emails.c.prescription_id, emails.c.details)
        return [tuple(row) for row in await tx.connection.execute(select(*columns))]


# Reading what happened


async def test_history_shows_own_actions_newest_first_with_the_lines_of_dispenses(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    prescription = await held(service, written, ward.pharmacist)
    await service.dispense(ward.pharmacist, written.id, [line(item) for item in prescription.items], "all")
    page = await service.history(ward.pharmacist, EVERYTHING, FIRST)
    assert [entry.action for entry in page.items] == [A.DISPENSE, A.VALIDATE, A.SCAN]
    assert [len(entry.lines) for entry in page.items] == [2, 0, 0]
    dispense = page.items[0]
    assert (dispense.prescription_number, dispense.patient_name) == (written.number, "Paula Patient")
    assert (dispense.notes, page.total_size) == ("all", 3)
    assert (await service.history(ward.colleague, EVERYTHING, FIRST)).items == ()


async def test_history_pages_hold_every_entry_once_and_belong_to_their_reader_and_filter(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    for _ in range(5):
        await service.scan(ward.pharmacist, written.qr_text)
    pages = [await service.history(ward.pharmacist, EVERYTHING, PageRequest(2, ""))]
    while pages[-1].next_page_token:
        token = pages[-1].next_page_token
        pages.append(await service.history(ward.pharmacist, EVERYTHING, PageRequest(2, token)))
    assert [(len(page.items), page.total_size) for page in pages] == [(2, 5), (2, 5), (1, 5)]
    assert len({entry.id for page in pages for entry in page.items}) == 5
    second = PageRequest(2, pages[0].next_page_token)
    with pytest.raises(PageTokenInvalid):
        await service.history(ward.colleague, EVERYTHING, second)
    with pytest.raises(PageTokenInvalid):
        await service.history(ward.pharmacist, HistoryFilter(Period(), A.SCAN), second)


async def test_history_is_narrowed_by_action_and_by_days_of_the_hospitals_zone(
    work: UnitOfWork, ward: Ward, written: Written
) -> None:
    service = a_service(work, replace(Clock(), zone=ZoneInfo("Asia/Tokyo")))
    await held(service, written, ward.pharmacist)
    # 23:30 in Tokyo on the 9th, and 00:30 on the 10th.
    for action, moment in (("scan", "2026-03-09 14:30+00"), ("validate", "2026-03-09 15:30+00")):
        await run(
            work,
            "UPDATE pharmacy_log SET occurred_at = CAST(CAST(:moment AS text) AS timestamptz) WHERE action = :action",
            moment=moment,
            action=action,
        )

    async def actions(first: date | None, last: date | None, action: PharmacyAction | None = None) -> list[A]:
        page = await service.history(ward.pharmacist, HistoryFilter(Period(first, last), action), FIRST)
        return [entry.action for entry in page.items]

    ninth, tenth = date(2026, 3, 9), date(2026, 3, 10)
    assert await actions(ninth, ninth) == [A.SCAN]
    assert await actions(tenth, None) == [A.VALIDATE]
    assert await actions(ninth, tenth) == [A.VALIDATE, A.SCAN]
    assert await actions(None, None, A.SCAN) == [A.SCAN]
    with pytest.raises(ValidationFailed):
        await actions(tenth, ninth)


async def test_the_log_is_for_pharmacists_who_acted_and_runs_oldest_first(
    ward: Ward, service: PharmacyService, written: Written
) -> None:
    await held(service, written, ward.pharmacist)
    await service.release(ward.pharmacist, written.id)
    with pytest.raises(NotFound):
        await service.log(ward.colleague, written.id, FIRST)
    await service.look_up(ward.colleague, written.number)
    page = await service.log(ward.colleague, written.id, PageRequest(3, ""))
    rest = await service.log(ward.colleague, written.id, PageRequest(3, page.next_page_token))
    assert [entry.action for entry in (*page.items, *rest.items)] == [A.SCAN, A.VALIDATE, A.RELEASE, A.LOOKUP]
    assert (page.total_size, rest.total_size, rest.next_page_token) == (4, 4, "")


async def test_a_receipt_is_for_the_patient_and_for_who_dispensed(
    work: UnitOfWork, ward: Ward, service: PharmacyService, written: Written
) -> None:
    empty = await service.receipt(ward.patient, written.id)
    assert not empty.lines
    assert (empty.total_amount, empty.currency) == (Decimal(0), "EUR")
    prescription = await held(service, written, ward.pharmacist)
    await service.dispense(ward.pharmacist, written.id, [line(prescription.items[0])], "")
    await service.scan(ward.colleague, written.qr_text)
    async with work.begin() as tx:
        stranger = (await open_ward(tx.connection)).patient
    for reader in (ward.colleague, stranger, ward.doctor):
        with pytest.raises(NotFound):
            await service.receipt(reader, written.id)
    with pytest.raises(NotFound):
        await service.receipt(ward.patient, new_id())
