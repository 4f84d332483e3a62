"""Tests the in-memory cache of revoked sessions and deactivated accounts."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from server.auth.entities import SignedIn, UserStatus
from server.auth.password_hashing import Passwords
from server.auth.services.revocation_cache import RevocationCache
from server.clock import Clock
from server.db.engine import create_pool
from server.db.pool import Pool
from server.db.unit_of_work import UnitOfWork
from server.errors import AccountNotVerified, DatabaseUnavailable, Unauthenticated
from server.identity import Caller, Role
from server.runtime.work import unit_of_work
from tests.fixtures.auth import Auth, set_status
from tests.fixtures.clock import SettableClock
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute
from tests.fixtures.statements import SentStatement, noted_statements


@pytest.fixture
async def pool(shared_database_url: str) -> AsyncIterator[Pool]:
    pool = create_pool(shared_database_url, pool_size=5)
    yield pool
    await pool.close()


@pytest.fixture
def this_process(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    """Returns the cache under test."""
    return Auth.build(work, clock.clock, passwords)


@pytest.fixture
def other_process(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    """Returns the cache of another process on the same database."""
    return Auth.build(work, clock.clock, passwords)


@pytest.fixture
def committing(pool: Pool, clock: SettableClock, passwords: Passwords) -> Auth:
    """Returns a cache whose statements can be counted and delayed."""
    return Auth.build(unit_of_work(pool), clock.clock, passwords)


@pytest.fixture
def statements() -> Iterator[list[SentStatement]]:
    """Yields the list that collects the statements sent from now on."""
    with noted_statements() as sent:
        yield sent


async def refused(auth: Auth, signed_in: SignedIn) -> bool:
    try:
        await auth.check(signed_in)
    except Unauthenticated:
        return True
    return False


async def unverified(auth: Auth, signed_in: SignedIn) -> bool:
    try:
        await auth.check(signed_in, verified=True)
    except AccountNotVerified:
        return True
    return False


def caller_of(auth: Auth, signed_in: SignedIn) -> Caller:
    return auth.access_tokens.verify(signed_in.tokens.access_token)


async def test_check_with_fresh_cache_sends_no_statement(
    committing: Auth, clock: SettableClock, statements: list[SentStatement]
) -> None:
    patient = await committing.sign_in(await committing.open())
    doctor = await committing.sign_in(await committing.open(Role.DOCTOR))
    await committing.revocations.refresh()
    for signed_in in (patient, doctor):
        await committing.check(signed_in, verified=True, confirmed=True)
    statements.clear()
    clock.forward(seconds=2)
    for asked in (False, True):
        await committing.check(patient, verified=asked, confirmed=asked)
        await committing.check(doctor, verified=asked, confirmed=asked)
    assert statements == []
    clock.forward(seconds=0.1)
    await committing.check(patient)
    assert len(statements) == 1


async def test_a_logout_elsewhere_is_known_after_the_next_poll(this_process: Auth, other_process: Auth) -> None:
    signed_in = await this_process.sign_in(await this_process.open())
    await this_process.revocations.refresh()
    await other_process.sessions.logout(caller_of(this_process, signed_in))
    assert not await refused(this_process, signed_in)
    await this_process.revocations.refresh()
    assert await refused(this_process, signed_in)


@control("S27")
async def test_start_loads_revocations_while_tokens_may_be_valid(this_process: Auth, other_process: Auth) -> None:
    signed_in = await other_process.sign_in(await other_process.open())
    await other_process.sessions.logout(caller_of(this_process, signed_in))
    await execute(this_process.work, "UPDATE sessions SET revoked_at = now() - interval '60 minutes 30 s'")
    await this_process.revocations.refresh()
    assert await refused(this_process, signed_in)


async def test_an_account_closed_and_opened_again_elsewhere(this_process: Auth) -> None:
    user = await this_process.open(Role.DOCTOR)
    signed_in = await this_process.sign_in(user)
    await this_process.revocations.refresh()
    await this_process.check(signed_in, verified=True)
    await set_status(this_process.work, user, UserStatus.DEACTIVATED)
    await this_process.revocations.refresh()
    assert await refused(this_process, signed_in)
    await set_status(this_process.work, user, UserStatus.ACTIVE)
    await this_process.revocations.refresh()
    await this_process.check(signed_in, verified=True)


async def test_newly_registered_doctor_may_not_act(this_process: Auth, other_process: Auth) -> None:
    await this_process.revocations.refresh()
    signed_in = await other_process.sign_in(await other_process.open(Role.DOCTOR, verified=False))
    assert await unverified(this_process, signed_in)


async def test_a_verification_acts_at_once_in_every_process(this_process: Auth, other_process: Auth) -> None:
    user = await this_process.open(Role.PHARMACIST, verified=False)
    signed_in = await this_process.sign_in(user)
    await this_process.revocations.refresh()
    assert await unverified(this_process, signed_in)
    await other_process.accounts.verify(user.id)
    await this_process.check(signed_in, verified=True)
    await other_process.check(signed_in, verified=True)


async def test_licence_withdrawn_elsewhere_applies_after_next_poll(this_process: Auth) -> None:
    user = await this_process.open(Role.DOCTOR)
    signed_in = await this_process.sign_in(user)
    await this_process.revocations.refresh()
    await this_process.check(signed_in, verified=True)
    await set_status(this_process.work, user, UserStatus.UNVERIFIED)
    await this_process.revocations.refresh()
    assert await unverified(this_process, signed_in)


async def test_stale_cache_reads_a_logout_elsewhere_from_database(
    this_process: Auth, other_process: Auth, clock: SettableClock
) -> None:
    signed_in, logged_out = (
        await this_process.sign_in(await this_process.open()),
        await this_process.sign_in(await this_process.open()),
    )
    await this_process.revocations.refresh()
    await other_process.sessions.logout(caller_of(this_process, logged_out))
    clock.forward(seconds=2.1)
    await this_process.check(signed_in)
    assert await refused(this_process, logged_out)


async def test_stale_cache_rejects_deactivated_and_unverified_accounts(this_process: Auth) -> None:
    closed = await this_process.open()
    signed_in = await this_process.sign_in(closed)
    doctor = await this_process.sign_in(await this_process.open(Role.DOCTOR, verified=False))
    await set_status(this_process.work, closed, UserStatus.DEACTIVATED)
    assert await refused(this_process, signed_in)
    assert await unverified(this_process, doctor)
    await this_process.check(doctor)


async def test_stale_cache_without_database_rejects_every_caller(this_process: Auth) -> None:
    caller = caller_of(this_process, await this_process.sign_in(await this_process.open()))
    pool = create_pool("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    revocations = RevocationCache(unit_of_work(pool), Clock())
    async with revocations.kept_fresh():
        with pytest.raises(DatabaseUnavailable):
            await revocations.check(caller, confirmed=False, verified=False)
    await pool.close()


async def test_a_database_that_does_not_answer_refuses_the_call(committing: Auth, pool: Pool) -> None:
    caller = caller_of(committing, await committing.sign_in(await committing.open()))
    async with pool.connection() as blocking, blocking.transaction():
        await blocking.execute(text("LOCK TABLE sessions"))
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await committing.revocations.check(caller, confirmed=False, verified=False)
        assert time.monotonic() - began < within(1.5)


async def test_change_that_a_poll_missed_applies_within_a_minute(
    this_process: Auth, other_process: Auth, clock: SettableClock
) -> None:
    signed_in = await this_process.sign_in(await this_process.open())
    await this_process.revocations.refresh()
    await other_process.sessions.logout(caller_of(this_process, signed_in))
    await execute(this_process.work, "UPDATE sessions SET revoked_at = now() - interval '40 s'")
    for _ in range(6):
        await this_process.revocations.refresh()
        assert not await refused(this_process, signed_in)
        clock.forward(seconds=10)
    await this_process.revocations.refresh()
    assert await refused(this_process, signed_in)


async def test_after_a_longer_silence_everything_is_read_again(
    this_process: Auth, other_process: Auth, clock: SettableClock
) -> None:
    signed_in = await this_process.sign_in(await this_process.open())
    await this_process.revocations.refresh()
    await other_process.sessions.logout(caller_of(this_process, signed_in))
    await execute(this_process.work, "UPDATE sessions SET revoked_at = now() - interval '40 s'")
    clock.forward(seconds=41)
    await this_process.revocations.refresh()
    assert await refused(this_process, signed_in)


async def test_a_logout_during_a_reload_is_not_forgotten(committing: Auth, pool: Pool) -> None:
    signed_in = await committing.sign_in(await committing.open())
    async with pool.connection() as blocking, blocking.transaction():
        await blocking.execute(text("LOCK TABLE sessions"))
        reload = asyncio.create_task(committing.revocations.refresh())
        await asyncio.sleep(0.1)
        committing.revocations.revoked(caller_of(committing, signed_in).session_id)
    await reload
    assert await refused(committing, signed_in)


async def test_the_memory_follows_by_itself_and_stops_with_its_block(committing: Auth) -> None:
    signed_in = await committing.sign_in(await committing.open())
    here = replace(committing, revocations=RevocationCache(committing.work, Clock()))
    tasks = len(asyncio.all_tasks())
    async with here.revocations.kept_fresh(), asyncio.timeout(5):
        await here.check(signed_in)
        began = time.monotonic()
        await committing.sessions.logout(caller_of(committing, signed_in))
        while not await refused(here, signed_in):
            await asyncio.sleep(0.02)
        assert time.monotonic() - began < within(2)
    assert len(asyncio.all_tasks()) == tasks
