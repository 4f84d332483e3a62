"""Tests calls in flight while their account loses its verification: they end before it, or are refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import text

from server.auth.storage.acting import ActingRepository
from server.clinical.entities import PrescriptionStatus
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.db.engine import create_pool
from server.db.pool import Pool
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import AccountNotVerified, OrganisationRequired, Unauthenticated
from server.identity import Caller
from server.pharmacy.services.closing import end_claims_of_mover
from server.pharmacy.services.pharmacy import PharmacyService
from server.pharmacy.storage.claims import ClaimRepository
from server.runtime.work import unit_of_work
from tests.fixtures.pharmacy import PharmacyPeople, Written, a_service, open_pharmacy
from tests.fixtures.pharmacy_steps import current, prescribe, run, scan_and_validate
from tests.fixtures.prescriptions import line
from tests.fixtures.proofs import control

pytestmark = control("S127")
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
Step = Callable[[PharmacyService, Caller, Written], Awaitable[object]]


async def _dispense(pharmacy: PharmacyService, caller: Caller, written: Written) -> object:
    return await pharmacy.dispense(caller, written.id, [], "")


STEPS: dict[str, Step] = {
    "claim": lambda pharmacy, caller, written: pharmacy.validate(caller, written.id, ""),
    "dispense": _dispense,
    "reject": lambda pharmacy, caller, written: pharmacy.reject(caller, written.id, "forged"),
    "release": lambda pharmacy, caller, written: pharmacy.release(caller, written.id),
}


@pytest.fixture
async def pool(shared_database_url: str) -> AsyncIterator[Pool]:
    pool = create_pool(shared_database_url, pool_size=4)
    yield pool
    await pool.close()


@pytest.fixture
def work(pool: Pool) -> UnitOfWork:
    return unit_of_work(pool)


@pytest.fixture
async def people(pool: Pool) -> PharmacyPeople:
    async with pool.connection() as connection, connection.transaction():
        return await open_pharmacy(connection)


async def until_one_waits(pool: Pool, task: asyncio.Task[object]) -> None:
    """Returns when a statement waits for a lock, or the task has ended without."""
    async with pool.connection() as connection:
        while not (task.done() or await connection.scalar(WAITING)):
            await asyncio.sleep(0.01)


async def lose_verification(tx: Transaction, caller: Caller) -> None:
    await tx[ActingRepository].unverify(caller.user_id)
    await end_claims_of_mover(tx, caller.user_id)


@pytest.mark.parametrize("step", STEPS)
async def test_step_that_waits_for_the_change_is_refused(
    pool: Pool, work: UnitOfWork, people: PharmacyPeople, step: str
) -> None:
    pharmacy, written = a_service(work), await prescribe(work, people)
    await scan_and_validate(pharmacy, written, people.pharmacist)
    async with work.begin() as tx:
        await lose_verification(tx, people.pharmacist)
        waits = asyncio.create_task(_outcome(STEPS[step](pharmacy, people.pharmacist, written)))
        await until_one_waits(pool, waits)
    assert isinstance(await waits, AccountNotVerified)
    assert (await current(work, written)).status is PrescriptionStatus.SCANNED


async def test_change_that_waits_for_a_claim_ends_it(pool: Pool, work: UnitOfWork, people: PharmacyPeople) -> None:
    pharmacy, written = a_service(work), await prescribe(work, people)
    await scan_and_validate(pharmacy, written, people.pharmacist)

    async def change() -> None:
        async with work.begin() as tx:
            await lose_verification(tx, people.pharmacist)

    async with work.begin() as tx:
        claimed = await tx[ClaimRepository].to_claim_for_update(written.id, people.pharmacist)
        waits: asyncio.Task[object] = asyncio.create_task(change())
        await until_one_waits(pool, waits)
        await tx[PrescriptionRepository].move(claimed, claimed.status, claim=claimed.claim)
    await waits
    assert (await current(work, written)).status is PrescriptionStatus.SCANNED


async def test_prescription_that_waits_for_the_change_is_refused(
    pool: Pool, work: UnitOfWork, people: PharmacyPeople
) -> None:
    async def prescribe_now() -> None:
        async with work.begin() as tx:
            await tx[PrescriptionRepository].check_subject(people.patient_id, None, people.doctor)

    await prescribe_now()
    async with work.begin() as tx:
        await tx[ActingRepository].unverify(people.doctor.user_id)
        waits = asyncio.create_task(_outcome(prescribe_now()))
        await until_one_waits(pool, waits)
    assert isinstance(await waits, AccountNotVerified)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("UPDATE users SET status = 'deactivated' WHERE id = :user_id", Unauthenticated),
        ("UPDATE memberships SET ended_at = now() WHERE user_id = :user_id", OrganisationRequired),
    ],
)
async def test_other_losses_are_refused_by_their_reason(
    work: UnitOfWork, people: PharmacyPeople, change: str, error: type[Exception]
) -> None:
    pharmacy, written = a_service(work), await prescribe(work, people)
    claimed = await scan_and_validate(pharmacy, written, people.pharmacist)
    await run(work, change, user_id=people.pharmacist.user_id)
    with pytest.raises(error):
        await pharmacy.dispense(people.pharmacist, written.id, [line(item) for item in claimed.items], "")


async def _outcome(step: Awaitable[object]) -> object:
    try:
        return await step
    except Exception as error:
        return error
