"""Tests prescriptions for their doctor and their patient, on a real database."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.clinical.entities import NewPrescription, NewVisit, PrescriptionStatus, VisitType
from server.clinical.rules.reference_number import new_prescription_number, normalize
from server.clinical.storage.prescription_lists import PrescriptionFilter, PrescriptionListRepository
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    NotFound,
    PageTokenInvalid,
    PrescriptionCancelled,
    PrescriptionClaimed,
    PrescriptionClosed,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionRejected,
    ValidationFailed,
)
from server.pagination import PageRequest
from tests.fixtures.clinical import FIRST_PAGE, ITEM, Clinic, open_clinic
from tests.fixtures.clock import SettableClock
from tests.fixtures.statements import noted_statements

PENDING, SCANNED, VALIDATED, PARTLY, DISPENSED, REJECTED, CANCELLED, EXPIRED, CLOSED = PrescriptionStatus
NO_PERIOD = Period()
OVER = "now() - interval '1 second'"


async def ids_with(clinic: Clinic, *statuses: PrescriptionStatus) -> list[UUID]:
    page = await clinic.prescriptions.list_own(clinic.doctor, statuses, None, NO_PERIOD, FIRST_PAGE)
    assert page.total_size == len(page.items)
    mine = await clinic.prescriptions.list_mine(clinic.paula_caller, statuses, FIRST_PAGE)
    assert [p.id for p in mine.items] == [p.id for p in page.items]
    return [prescription.id for prescription in page.items]


async def mails(clinic: Clinic, prescription_id: UUID) -> list[tuple[str, str]]:
    rows = await clinic.execute("SELECT kind, recipient FROM emails WHERE prescription_id = :id", id=prescription_id)
    return [tuple(row) for row in rows]


async def test_prescription_is_stored_with_ordered_items_and_open_code(clinic: Clinic) -> None:
    items = tuple(
        ITEM.__class__(f"Medicine {n}", "1", "daily", Decimal(n), "with milk", "oral", 5 if n == 1 else None)
        for n in range(1, 12)
    )
    new = NewPrescription(clinic.paula.id, None, "Bronchitis", "difficult", items)
    written = await clinic.prescriptions.create(clinic.doctor, new)
    assert await clinic.prescriptions.get(clinic.doctor, written.id) == written
    assert (written.status, written.diagnosis, written.doctor_notes) == (PENDING, "Bronchitis", "difficult")
    assert (written.patient_name, written.doctor_name) == ("Paula Patient", "Dana Doctor")
    assert [item.medicine_name for item in written.items] == [item.medicine_name for item in items]
    first = written.items[0]
    assert (first.instructions, first.route, first.duration_days) == ("with milk", "oral", 5)
    assert (first.quantity, first.dispensed_quantity, written.items[1].duration_days) == (Decimal(1), Decimal(0), None)
    assert written.expires_at - written.created_at == timedelta(days=30)
    assert written.qr_code.expires_at - written.created_at.replace(microsecond=0) == timedelta(days=7)
    assert normalize(written.number).text == written.number


async def test_new_prescription_is_emailed_if_patient_has_address(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    assert await mails(clinic, written.id) == [("prescription", "paula@example.org")]
    quiet = await clinic.prescribe(clinic.quiet)
    assert await mails(clinic, quiet.id) == []


async def test_a_prescription_needs_a_patient(clinic: Clinic) -> None:
    with pytest.raises(NotFound, match="no such patient"):
        await clinic.prescriptions.create(clinic.doctor, NewPrescription(uuid4(), None, "Flu", "", (ITEM,)))


async def test_prescription_accepts_only_a_visit_of_patient_and_doctor(clinic: Clinic) -> None:
    async def visit(doctor: str, patient: str) -> UUID:
        patient_id = getattr(clinic, patient).id
        new = NewVisit(patient_id, date(2026, 1, 2), VisitType.EMERGENCY, "Cough", "", "", "", "", "", None)
        return (await clinic.visits.record(getattr(clinic, doctor), new)).id

    own = await visit("doctor", "paula")
    written = await clinic.prescriptions.create(
        clinic.doctor, NewPrescription(clinic.paula.id, own, "Flu", "", (ITEM,))
    )
    assert written.visit_id == own
    for foreign in (await visit("colleague", "paula"), await visit("doctor", "quiet"), uuid4()):
        with pytest.raises(NotFound, match="no such visit"):
            await clinic.prescriptions.create(
                clinic.doctor, NewPrescription(clinic.paula.id, foreign, "Flu", "", (ITEM,))
            )


async def test_a_number_that_is_taken_is_drawn_again(work: UnitOfWork, clock: SettableClock) -> None:
    free, other = (new_prescription_number(clock.clock.today()) for _ in range(2))
    drawn: Iterator[str] = iter([free, free, free, other])
    clinic = await open_clinic(work, clock.clock, new_number=lambda _day: next(drawn))
    numbers = [(await clinic.prescribe()).number for _ in range(2)]
    assert numbers == [free, other]


async def test_fifty_items_take_as_many_statements_as_one(clinic: Clinic) -> None:
    with noted_statements() as one:
        await clinic.prescribe(items=1)
    with noted_statements() as fifty:
        written = await clinic.prescribe(items=50)
    assert len(written.items) == 50
    assert len(one) == len(fifty) <= 7


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({}, PENDING),
        ({"expires_at": OVER}, EXPIRED),
        ({"status": "'scanned'"}, SCANNED),
        ({"status": "'scanned'", "expires_at": "now()"}, EXPIRED),
        ({"status": "'partially_dispensed'"}, PARTLY),
        ({"status": "'partially_dispensed'", "expires_at": OVER}, EXPIRED),
        ({"status": "'dispensed'", "fulfilled_at": "now()", "expires_at": OVER}, DISPENSED),
        ({"status": "'rejected'", "expires_at": OVER}, REJECTED),
        ({"status": "'closed'", "expires_at": OVER}, CLOSED),
        ({"status": "'cancelled'", "expires_at": OVER}, CANCELLED),
        ({"status": "'expired'"}, EXPIRED),
    ],
)
async def test_expired_prescription_shows_in_responses_filters_counts(
    clinic: Clinic, columns: dict[str, Any], status: PrescriptionStatus
) -> None:
    written = await clinic.prescribe(**columns)
    assert written.status is status
    for asked in PrescriptionStatus:
        assert await ids_with(clinic, asked) == ([written.id] if asked is status else [])
    if status is EXPIRED and "expires_at" in columns:
        assert written.changed_at == written.expires_at


@pytest.mark.parametrize(
    ("lease", "source", "validity", "status"),
    [
        ("1 minute", "scanned", "1 day", VALIDATED),
        ("1 minute", "scanned", "-1 day", VALIDATED),
        ("-1 second", "scanned", "1 day", SCANNED),
        ("0 seconds", "scanned", "1 day", SCANNED),
        ("-1 second", "partially_dispensed", "1 day", PARTLY),
        ("-1 second", "partially_dispensed", "-1 minute", EXPIRED),
        ("-1 second", "scanned", "0 seconds", EXPIRED),
    ],
)
async def test_claim_counts_until_the_end_of_its_lease_exactly(
    clinic: Clinic, lease: str, source: str, validity: str, status: PrescriptionStatus
) -> None:
    written = await clinic.prescribe()
    await clinic.claim(written.id, lease, source)
    await clinic.alter(written.id, expires_at=f"now() + interval '{validity}'")
    read = await clinic.prescriptions.get(clinic.doctor, written.id)
    assert read.status is status
    assert (read.claim is not None) is (status is VALIDATED)
    for asked in PrescriptionStatus:
        assert await ids_with(clinic, asked) == ([written.id] if asked is status else [])


@pytest.mark.parametrize("status", [PENDING, SCANNED, PARTLY])
async def test_cancel_without_claim_succeeds_and_notifies_patient(clinic: Clinic, status: PrescriptionStatus) -> None:
    written = await clinic.prescribe(status=f"'{status}'")
    cancelled = await clinic.prescriptions.cancel(clinic.doctor, written.id, "wrong dose")
    assert (cancelled.status, cancelled.status_reason) == (CANCELLED, "wrong dose")
    assert await clinic.prescriptions.get(clinic.doctor, written.id) == cancelled
    assert ("cancelled", "paula@example.org") in await mails(clinic, written.id)


@pytest.mark.parametrize("source", [SCANNED, PARTLY])
async def test_cancel_after_lease_has_expired_succeeds(clinic: Clinic, source: PrescriptionStatus) -> None:
    written = await clinic.prescribe()
    await clinic.claim(written.id, "-1 second", source)
    assert (await clinic.prescriptions.cancel(clinic.doctor, written.id, "wrong dose")).claim is None
    [row] = await clinic.execute("SELECT status, claimed_by FROM prescriptions WHERE id = :id", id=written.id)
    assert tuple(row) == ("cancelled", None)


@pytest.mark.parametrize(
    ("columns", "refusal"),
    [
        ({"status": "'dispensed'", "fulfilled_at": "now()"}, PrescriptionDispensed),
        ({"status": "'rejected'"}, PrescriptionRejected),
        ({"status": "'closed'"}, PrescriptionClosed),
        ({"status": "'cancelled'"}, PrescriptionCancelled),
        ({"status": "'expired'"}, PrescriptionExpired),
        ({"expires_at": OVER}, PrescriptionExpired),
    ],
)
async def test_nothing_final_can_be_cancelled(
    clinic: Clinic, columns: dict[str, Any], refusal: type[Exception]
) -> None:
    written = await clinic.prescribe(**columns)
    before = await clinic.execute("SELECT * FROM prescriptions WHERE id = :id", id=written.id)
    with pytest.raises(refusal) as refused:
        await clinic.prescriptions.cancel(clinic.doctor, written.id, "wrong dose")
    assert refused.value.metadata == {"state": written.status, "changed_at": written.changed_at}  # type: ignore[attr-defined]
    assert await clinic.execute("SELECT * FROM prescriptions WHERE id = :id", id=written.id) == before


async def test_cancel_during_claim_fails_and_names_the_pharmacy(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    await clinic.claim(written.id)
    with pytest.raises(PrescriptionClaimed) as refused:
        await clinic.prescriptions.cancel(clinic.doctor, written.id, "wrong dose")
    held = await clinic.prescriptions.get(clinic.doctor, written.id)
    assert held.status is VALIDATED
    assert held.claim is not None
    assert refused.value.metadata == {
        "state": VALIDATED,
        "pharmacy_name": "Corner Pharmacy",
        "pharmacy_phone": "+49 30 7654321",
        "claim_expires_at": held.claim.expires_at,
    }


async def test_prescription_of_another_doctor_is_not_found(clinic: Clinic) -> None:
    foreign = (await clinic.prescribe()).id
    errors = []
    for prescription_id in (foreign, uuid4()):
        for attempt in (
            clinic.prescriptions.get(clinic.colleague, prescription_id),
            clinic.prescriptions.cancel(clinic.colleague, prescription_id, "wrong dose"),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            errors.append((refused.value.text, refused.value.metadata))
    assert len({str(error) for error in errors}) == 1
    assert (await clinic.prescriptions.list_own(clinic.colleague, (), None, NO_PERIOD, FIRST_PAGE)).items == ()


async def test_patient_lists_only_own_prescriptions(clinic: Clinic) -> None:
    own = await clinic.prescribe()
    await clinic.prescribe(clinic.quiet)
    page = await clinic.prescriptions.list_mine(clinic.paula_caller, (), FIRST_PAGE)
    assert ([p.id for p in page.items], page.total_size) == ([own.id], 1)


async def test_list_filters_by_patient_and_by_hospital_days(work: UnitOfWork, clock: SettableClock) -> None:
    clinic = await open_clinic(work, clock.clock)
    early = await clinic.prescribe(created_at="'2026-01-31T23:59:59.999999Z'")
    first = await clinic.prescribe(created_at="'2026-02-01T00:00:00Z'")
    last = await clinic.prescribe(clinic.quiet, created_at="'2026-02-02T23:59:59.999999Z'")
    late = await clinic.prescribe(created_at="'2026-02-03T00:00:00Z'")

    async def found(patient_id: UUID | None, since: date | None, until: date | None) -> list[UUID]:
        period = Period(since, until)
        page = await clinic.prescriptions.list_own(clinic.doctor, (), patient_id, period, FIRST_PAGE)
        return [prescription.id for prescription in page.items]

    assert await found(None, None, None) == [late.id, last.id, first.id, early.id]
    assert await found(None, date(2026, 2, 1), date(2026, 2, 2)) == [last.id, first.id]
    assert await found(clinic.paula.id, date(2026, 2, 1), None) == [late.id, first.id]
    assert await found(clinic.quiet.id, None, date(2026, 2, 1)) == []
    with pytest.raises(ValidationFailed):
        await found(None, date(2026, 2, 2), date(2026, 2, 1))


async def test_pages_hold_each_prescription_once_during_inserts(clinic: Clinic) -> None:
    written = [(await clinic.prescribe(created_at=f"now() - interval '{n // 2} hours'")).id for n in range(7)]
    seen: list[UUID] = []
    token = ""
    while True:
        page = await clinic.prescriptions.list_own(clinic.doctor, (), None, NO_PERIOD, PageRequest(2, token))
        seen += [prescription.id for prescription in page.items]
        token = page.next_page_token
        if not token:
            break
        await clinic.prescribe()
    assert len(seen) == len(set(seen)) == 7
    assert set(seen) == set(written)


async def test_total_is_on_every_page_even_when_the_filter_shrinks(clinic: Clinic) -> None:
    written = [await clinic.prescribe(created_at=f"now() - interval '{n} hours'") for n in range(3)]
    statuses = [PENDING]
    first = await clinic.prescriptions.list_own(clinic.doctor, statuses, None, NO_PERIOD, PageRequest(2, ""))
    assert first.total_size == 3
    await clinic.alter(written[2].id, status="'scanned'")
    token = first.next_page_token
    rest = await clinic.prescriptions.list_own(clinic.doctor, statuses, None, NO_PERIOD, PageRequest(2, token))
    assert (rest.items, rest.next_page_token, rest.total_size) == ((), "", 2)


async def test_a_page_token_of_another_caller_or_filter_is_refused(clinic: Clinic) -> None:
    for _ in range(2):
        await clinic.prescribe()
    one = PageRequest(1, "")
    token = (await clinic.prescriptions.list_own(clinic.doctor, (), None, NO_PERIOD, one)).next_page_token
    page = PageRequest(1, token)
    attempts = [
        clinic.prescriptions.list_own(clinic.colleague, (), None, NO_PERIOD, page),
        clinic.prescriptions.list_own(clinic.doctor, [PENDING], None, NO_PERIOD, page),
        clinic.prescriptions.list_own(clinic.doctor, (), clinic.paula.id, NO_PERIOD, page),
        clinic.prescriptions.list_own(clinic.doctor, (), None, Period(date(2026, 1, 1)), page),
        clinic.prescriptions.list_mine(clinic.paula_caller, (), page),
    ]
    for attempt in attempts:
        with pytest.raises(PageTokenInvalid):
            await attempt


async def test_page_token_ignores_the_order_of_states_in_the_filter(clinic: Clinic) -> None:
    for _ in range(2):
        await clinic.prescribe()
    one, other = [PENDING, SCANNED], [SCANNED, PENDING, SCANNED]
    token = (await clinic.prescriptions.list_mine(clinic.paula_caller, one, PageRequest(1, ""))).next_page_token
    page = await clinic.prescriptions.list_mine(clinic.paula_caller, other, PageRequest(1, token))
    assert len(page.items) == 1


async def test_reads_take_one_statement_each(clinic: Clinic) -> None:
    written = await clinic.prescribe(items=3)
    with noted_statements() as ran:
        await clinic.prescriptions.get(clinic.doctor, written.id)
        await clinic.prescriptions.list_own(clinic.doctor, [PENDING], None, NO_PERIOD, FIRST_PAGE)
        await clinic.prescriptions.list_mine(clinic.paula_caller, (), FIRST_PAGE)
    assert len(ran) == 3


async def test_totals_are_exact_to_a_thousand_and_a_minimum_beyond(clinic: Clinic) -> None:
    copies = """
        INSERT INTO prescriptions (id, number, patient_id, doctor_id, diagnosis, expires_at)
        SELECT gen_random_uuid(), 'copy ' || n, :patient, :doctor, 'Flu', now() + interval '1 day'
        FROM generate_series(1, :more) AS n
    """
    values = {"patient": clinic.paula.id, "doctor": clinic.doctor.user_id}
    await clinic.execute(copies, **values, more=1000)
    narrowed = PrescriptionFilter()
    await clinic.prescribe()
    async with clinic.work.read() as tx:
        rows, found = await tx[PrescriptionListRepository].of_doctor(clinic.doctor.user_id, narrowed, None, 20)
    assert (len(rows), found) == (1, 1001)
    page = await clinic.prescriptions.list_own(clinic.doctor, (), None, NO_PERIOD, FIRST_PAGE)
    assert (page.total_size, page.total_size_is_minimum) == (1000, True)
