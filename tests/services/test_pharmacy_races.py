"""Tests many concurrent pharmacists on a database of their own: one succeeds, and every reader sees which."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from server.clinical.entities import PrescriptionStatus
from server.db.engine import create_pool
from server.db.pool import Pool
from server.db.unit_of_work import UnitOfWork
from server.errors import ClaimedByOther, ClaimLimitReached, DeclaredError, PrescriptionDispensed, PrescriptionInState
from server.identity import Caller
from server.pagination import PageRequest
from server.pharmacy.entities import ClaimLimits, DispensedPrescription, LookupResult
from server.pharmacy.services.pharmacy import PharmacyService
from server.pharmacy.storage.tables import dispensed_lines, pharmacy_log
from server.runtime.work import unit_of_work
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service, colleagues, open_pharmacy
from tests.fixtures.pharmacy_steps import current, prescribe, scan_and_validate
from tests.fixtures.prescriptions import line
from tests.fixtures.proofs import control

S = PrescriptionStatus


@pytest.fixture
async def pool(shared_database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """Returns a pool in which callers queue, because these races are about rows, not connections."""
    monkeypatch.setattr("server.db.pool.WAIT_SECONDS", 60)
    pool = create_pool(shared_database_url, pool_size=10, role=None)
    yield pool
    await pool.close()


@pytest.fixture
def work(pool: Pool) -> UnitOfWork:
    return unit_of_work(pool)


async def race(attempts: Iterable[Awaitable[object]]) -> tuple[list[object], list[DeclaredError]]:
    """Returns successes and rejections; an error that is not declared fails the test."""
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, DeclaredError)]
    successes = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(refusals) + len(successes) == len(outcomes), outcomes
    return successes, refusals


async def total_dispensed(pool: Pool, written: Written) -> int:
    log = pharmacy_log
    units = select(func.coalesce(func.sum(dispensed_lines.c.quantity), 0)).join_from(dispensed_lines, log)
    async with pool.connection() as connection:
        total: int = await connection.scalar(units.where(log.c.prescription_id == written.id))
        return total


async def assert_log_is_a_chain(pharmacy: PharmacyService, written: Written, reader: Caller) -> None:
    """Checks that each log entry begins in the state in which the previous one ended."""
    log = (await pharmacy.log(reader, written.id, PageRequest(100, ""))).items
    ends = [S.PENDING, *(entry.to_status for entry in log)]
    assert [entry.from_status for entry in log] == ends[:-1]


async def test_of_thirty_dispenses_of_one_claim_exactly_one_succeeds(
    pool: Pool, work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    written = await prescribe(work, pharmacy_people)
    lines = [line(item) for item in (await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)).items]
    attempts = (pharmacy.dispense(pharmacy_people.pharmacist, written.id, lines, "") for _ in range(30))
    successes, refusals = await race(attempts)
    assert len(successes) == 1
    assert {type(refusal) for refusal in refusals} == {PrescriptionDispensed}
    assert await total_dispensed(pool, written) == 30
    stored = await current(work, written)
    assert (stored.status, [item.remaining_quantity for item in stored.items]) == (S.DISPENSED, [Decimal(0)] * 2)


async def test_twenty_partial_dispenses_of_one_claim_have_one_success(
    pool: Pool, work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    written = await prescribe(work, pharmacy_people, (10,))
    (item,) = (await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)).items
    attempts = (pharmacy.dispense(pharmacy_people.pharmacist, written.id, [line(item, 3)], "") for _ in range(20))
    successes, refusals = await race(attempts)
    assert len(successes) == 1
    assert {type(refusal) for refusal in refusals} == {PrescriptionInState}
    assert (await current(work, written)).items[0].dispensed_quantity == await total_dispensed(pool, written) == 3


async def test_twenty_partial_dispensers_never_exceed_the_quantity(
    pool: Pool, work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    written = await prescribe(work, pharmacy_people, (10,))
    async with pool.connection() as connection, connection.transaction():
        callers = [pharmacy_people.pharmacist, pharmacy_people.colleague, (await open_pharmacy(connection)).pharmacist]
    for caller in callers:
        await pharmacy.scan(caller, written.qr_text)
    (item,) = (await current(work, written)).items

    async def claim_and_dispense(caller: Caller) -> DispensedPrescription:
        await pharmacy.validate(caller, written.id, "")
        return await pharmacy.dispense(caller, written.id, [line(item, 3, unit_price=Decimal(1))], "")

    taken = 0
    for _ in range(4):
        successes, _ = await race(claim_and_dispense(callers[number % 3]) for number in range(20))
        taken += len(successes)
    assert taken == 3
    assert (await current(work, written)).items[0].dispensed_quantity == await total_dispensed(pool, written) == 9
    await assert_log_is_a_chain(pharmacy, written, pharmacy_people.pharmacist)


@pytest.mark.parametrize("first", range(4))
async def test_concurrent_dispense_reject_release_have_one_outcome(
    pool: Pool, work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, first: int
) -> None:
    written = await prescribe(work, pharmacy_people)
    lines = [line(item) for item in (await scan_and_validate(pharmacy, written, pharmacy_people.pharmacist)).items]
    reading = asyncio.create_task(read_until_final(work, written))
    attempts = [
        pharmacy.dispense(pharmacy_people.pharmacist, written.id, lines, ""),
        pharmacy.reject(pharmacy_people.pharmacist, written.id, "wrong dose"),
        pharmacy.release(pharmacy_people.pharmacist, written.id),
        pharmacy.dispense(pharmacy_people.pharmacist, written.id, lines, ""),
    ]
    successes, _ = await race(attempts[first:] + attempts[:first])
    end = (await current(work, written)).status
    assert end in (S.DISPENSED, S.REJECTED)  # If the release comes first, a scanned prescription can still be rejected.
    assert len(successes) <= (1 if end is S.DISPENSED else 2)
    assert await total_dispensed(pool, written) == (30 if end is S.DISPENSED else 0)
    states = await asyncio.wait_for(reading, 5)
    assert states[-1] is end
    assert set(states[:-1]) <= {S.VALIDATED, S.SCANNED}
    await assert_log_is_a_chain(pharmacy, written, pharmacy_people.pharmacist)


async def read_until_final(work: UnitOfWork, written: Written) -> list[PrescriptionStatus]:
    states: list[PrescriptionStatus] = []
    while not states or states[-1] in (S.VALIDATED, S.SCANNED):
        states.append((await current(work, written)).status)
        await asyncio.sleep(0.002)
    return states


async def test_concurrent_validations_give_one_claim(
    pool: Pool, work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    written = await prescribe(work, pharmacy_people)
    for caller in (pharmacy_people.pharmacist, pharmacy_people.colleague):
        await pharmacy.scan(caller, written.qr_text)

    async def validate(caller: Caller) -> Caller:
        await pharmacy.validate(caller, written.id, "")
        return caller

    winners, refusals = await race(
        validate(caller) for caller in (pharmacy_people.pharmacist, pharmacy_people.colleague) * 8
    )
    claim = (await current(work, written)).claim
    assert claim is not None
    assert {caller.user_id for caller in winners if isinstance(caller, Caller)} == {claim.pharmacist_id}
    assert (len(winners), {type(refusal) for refusal in refusals}) == (8, {ClaimedByOther})


@control("S46")
async def test_fifty_scans_at_once_are_counted_as_fifty(
    pool: Pool, work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    written = await prescribe(work, pharmacy_people)
    found, _ = await race(pharmacy.scan(pharmacy_people.pharmacist, written.qr_text) for _ in range(50))
    assert len(found) == 50
    assert (await current(work, written)).qr_code.scan_count == 50
    log = await pharmacy.log(pharmacy_people.pharmacist, written.id, PageRequest(100, ""))
    assert log.total_size == 50
    await assert_log_is_a_chain(pharmacy, written, pharmacy_people.pharmacist)


async def test_concurrent_lookups_of_a_reference_do_not_deadlock(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    for _ in range(5):
        await prescribe(work, pharmacy_people)
    async with work.begin() as tx:
        callers = [
            pharmacy_people.pharmacist,
            pharmacy_people.colleague,
            (await open_pharmacy(tx.connection)).pharmacist,
        ]
    found, _ = await race(pharmacy.look_up(caller, pharmacy_people.reference_number) for caller in callers * 4)
    assert [len(result.found) for result in found if isinstance(result, LookupResult)] == [5] * 12


@control("S111")
async def test_of_64_colleagues_at_once_one_dispenses(
    pharmacy: PharmacyService, work: UnitOfWork, pool: Pool, pharmacy_people: PharmacyPeople
) -> None:
    """The claim is the pharmacy's, so each colleague may dispense; the row lock lets only one do so."""
    written = await prescribe(work, pharmacy_people, (20,))
    async with pool.connection() as connection, connection.transaction():
        first, second = await colleagues(connection, pharmacy_people)
    prescription = await scan_and_validate(pharmacy, written, first)
    lines = [line(prescription.items[0])]
    counters = [first, second] * 32
    successes, refusals = await race(pharmacy.dispense(caller, written.id, lines, "") for caller in counters)
    assert len(successes) == 1
    assert {type(refusal) for refusal in refusals} == {PrescriptionDispensed}
    assert await total_dispensed(pool, written) == 20


@control("S124")
async def test_parallel_claims_of_a_pharmacist_stay_below_the_limit(
    work: UnitOfWork, pharmacy_people: PharmacyPeople
) -> None:
    pharmacy = a_service(work, limits=ClaimLimits(open_claims=3, renewals=0))
    written = [await prescribe(work, pharmacy_people) for _ in range(12)]
    for each in written:
        await pharmacy.scan(pharmacy_people.pharmacist, each.qr_text)
    successes, refusals = await race(pharmacy.validate(pharmacy_people.pharmacist, each.id, "") for each in written)
    assert (len(successes), {type(refusal) for refusal in refusals}) == (3, {ClaimLimitReached})
