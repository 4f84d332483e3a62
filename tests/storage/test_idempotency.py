"""Tests stored idempotency keys: who may claim one, and when."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from server.audit.audit_context import Subject
from server.db.engine import create_pool
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import RequestInProgress
from server.idempotency.storage.idempotency_keys import FirstSuccess, IdempotencyRepository, KeyedCall
from server.runtime.work import unit_of_work

CALL = KeyedCall(new_id(), "ScanQrCode", "0123456789abcdef")
SUCCESS = FirstSuccess(bytes(32), b"answer", Subject("prescription", new_id(), (new_id(), new_id())))


@pytest.fixture
async def real_work(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    """Yields a unit of work that commits."""
    pool = create_pool(shared_database_url, pool_size=4)
    work = unit_of_work(pool)
    async with work.begin() as tx:
        await tx.connection.execute(text("DELETE FROM idempotency_keys"))
    yield work
    await pool.close()


async def age(tx: Transaction, hours: float) -> None:
    statement = text("UPDATE idempotency_keys SET created_at = now() - make_interval(secs => :seconds)")
    await tx.connection.execute(statement, {"seconds": 3600 * hours})


async def test_success_is_found_with_its_request(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        assert await tx[IdempotencyRepository].claim(CALL) is None
        await tx[IdempotencyRepository].keep(CALL, SUCCESS)
        assert await tx[IdempotencyRepository].claim(CALL) == SUCCESS


async def test_an_empty_answer_is_an_answer(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await tx[IdempotencyRepository].keep(CALL, FirstSuccess(bytes(32), b""))
        assert await tx[IdempotencyRepository].claim(CALL) == FirstSuccess(bytes(32), b"")


@pytest.mark.parametrize(
    "other",
    [
        KeyedCall(new_id(), CALL.method, CALL.key),
        KeyedCall(CALL.caller_id, "CreatePatient", CALL.key),
        KeyedCall(CALL.caller_id, CALL.method, CALL.key.upper()),
    ],
)
async def test_caller_method_and_key_together_name_a_success(work: UnitOfWork, other: KeyedCall) -> None:
    async with work.begin() as tx:
        await tx[IdempotencyRepository].keep(CALL, SUCCESS)
        assert await tx[IdempotencyRepository].claim(other) is None


async def test_a_claim_lasts_until_its_transaction_ends(real_work: UnitOfWork) -> None:
    async with real_work.begin() as first:
        assert await first[IdempotencyRepository].claim(CALL) is None
        assert await first[IdempotencyRepository].claim(CALL) is None
        with pytest.raises(RequestInProgress):
            async with real_work.begin() as second:
                await second[IdempotencyRepository].claim(CALL)
    async with real_work.begin() as third:
        assert await third[IdempotencyRepository].claim(CALL) is None


async def test_stored_success_is_returned_while_its_key_is_claimed(real_work: UnitOfWork) -> None:
    async with real_work.begin() as tx:
        await tx[IdempotencyRepository].keep(CALL, SUCCESS)
    async with real_work.begin() as first, real_work.begin() as second:
        assert await first[IdempotencyRepository].claim(CALL) == SUCCESS
        assert await second[IdempotencyRepository].claim(CALL) == SUCCESS


async def test_a_success_that_was_stored_meanwhile_is_not_overwritten(real_work: UnitOfWork) -> None:
    """Covers the gap between a statement's snapshot and its lock: a caller that gets through it must not commit."""
    async with real_work.begin() as tx:
        await tx[IdempotencyRepository].keep(CALL, SUCCESS)
    with pytest.raises(RequestInProgress):
        async with real_work.begin() as tx:
            await tx[IdempotencyRepository].keep(CALL, FirstSuccess(bytes(32), b"another answer"))
    async with real_work.read() as tx:
        assert await tx[IdempotencyRepository].claim(CALL) == SUCCESS


@pytest.mark.parametrize(("hours", "known"), [(23.9, True), (24.1, False)])
async def test_a_success_is_known_for_a_day(work: UnitOfWork, hours: float, known: bool) -> None:
    async with work.begin() as tx:
        await tx[IdempotencyRepository].keep(CALL, SUCCESS)
        await age(tx, hours)
        assert (await tx[IdempotencyRepository].claim(CALL) is not None) is known


async def test_expired_key_may_be_used_again(work: UnitOfWork) -> None:
    newer = FirstSuccess(b"\1" * 32, b"another answer")
    async with work.begin() as tx:
        await tx[IdempotencyRepository].keep(CALL, SUCCESS)
        await age(tx, 24.1)
        await tx[IdempotencyRepository].keep(CALL, newer)
        assert await tx[IdempotencyRepository].claim(CALL) == newer
