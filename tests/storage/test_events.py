"""Tests events in the database: stored with their change, immutable, and given a position after the commit."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from server.auth.events import PasswordChanged
from server.db.unit_of_work import Transaction, UnitOfWork
from server.events.storage.events import EventRepository
from server.identity import Role
from server.mailer.events import AdminTestEvent
from server.queue_admin.sequencer import Sequencer
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.emails import add_account, add_mails, change
from tests.fixtures.users import a_user

PLACED = "SELECT type, position FROM events ORDER BY position"


class Undone(Exception):
    """The error that fails a use case."""


@pytest.fixture
async def committing(database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(database_url) as unit_of_work:
        yield unit_of_work


async def found(work: UnitOfWork, statement: str) -> list[tuple[Any, ...]]:
    async with work.read() as tx:
        rows = await tx.connection.rows(text(statement))
    return [tuple(json.loads(value) if str(value).startswith("{") else value for value in row) for row in rows]


async def record(tx: Transaction) -> None:
    """Returns an event with one email."""
    user_id = await add_account(tx.connection)
    await tx[EventRepository].record(PasswordChanged(a_user(Role.ADMIN, id=user_id)))


async def record_in(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await record(tx)


async def record_and_fail(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await record(tx)
        raise Undone


async def test_event_email_and_first_state_are_stored_atomically(
    work: UnitOfWork,
) -> None:
    with pytest.raises(Undone):
        await record_and_fail(work)
    assert await found(work, "SELECT 1 FROM events UNION ALL SELECT 2 FROM emails") == []
    await record_in(work)
    [(event_id, kind)] = await found(work, "SELECT event_id, kind FROM emails")
    assert kind == "password_changed"
    rows = await found(work, "SELECT id, type FROM events ORDER BY id")
    assert rows == [(event_id, "password.changed"), (rows[1][0], "email.pending")]


async def test_event_without_email_is_stored(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        user = a_user(Role.ADMIN, id=await add_account(tx.connection))
        await tx[EventRepository].record(AdminTestEvent(user, "x.y", {"a": "é\u2603"}))
        await tx.connection.execute(text("DELETE FROM emails"))
    [details] = await found(work, "SELECT details FROM events WHERE type = 'test'")
    assert details == ({"eventType": "x.y", "data": {"a": "é\u2603"}},)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET details = '{}'",
        "UPDATE events SET position = 1, type = 'x'",
        "UPDATE events SET occurred_at = now() + interval '1 s'",
        "DELETE FROM events",
    ],
)
async def test_events_cannot_be_changed_or_deleted_even_by_owner(
    database_url: str, committing: UnitOfWork, statement: str
) -> None:
    await record_in(committing)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"only added|permission denied"):
        await change(committing, statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added"):
        await as_owner(database_url, statement)
    await change(committing, "UPDATE events SET position = id")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added"):
        await change(committing, "UPDATE events SET position = id + 1")


async def test_only_state_changes_of_an_email_are_recorded(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 1)
    for statement in (
        "state = 'processing', lease_expires_at = now()",
        "lease_expires_at = now() + interval '30 s'",
        "state = 'failed', lease_expires_at = NULL, finished_at = now(), attempts = 1, error = '550 no'",
    ):
        await change(work, f"UPDATE emails SET {statement}")  # noqa: S608 - statements of this test
    rows = await found(work, "SELECT type, details FROM events ORDER BY id")
    shown = {"kind": "welcome", "recipient": "0***@example.org", "attempts": 0, "error": ""}
    assert rows == [
        ("email.pending", shown),
        ("email.processing", shown),
        ("email.failed", shown | {"attempts": 1, "error": "550 no"}),
    ]


async def test_event_gets_position_once_no_earlier_one_can_follow(committing: UnitOfWork) -> None:
    placed: list[None] = []
    sequencer = Sequencer(committing, lambda: placed.append(None))
    async with committing.begin() as slow:
        await record(slow)
        await record_in(committing)  # begins later and commits earlier
        assert await sequencer.assign_positions()
        assert placed == []
    assert not await sequencer.assign_positions()
    assert placed == [None]
    rows = await found(committing, "SELECT id, position FROM events ORDER BY id")
    assert [position for _, position in rows] == sorted(position for _, position in rows)
    assert len(rows) == 4


async def test_feed_reader_misses_nothing_with_any_commit_order(committing: UnitOfWork) -> None:
    sequencers = [Sequencer(committing, lambda: None) for _ in range(2)]
    read: list[int] = []

    async def write(number: int) -> None:
        for turn in range(5):
            async with committing.begin() as tx:
                await record(tx)
                await asyncio.sleep(0.005 * ((number + turn) % 4))

    async def follow() -> None:
        while True:
            after = f"SELECT position FROM events WHERE position > {max(read, default=0)} ORDER BY position"  # noqa: S608
            read.extend(position for (position,) in await found(committing, after))
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(follow()), *(tasks.create_task(s._repeat()) for s in sequencers)]
        await asyncio.gather(*(write(number) for number in range(2)))
        async with asyncio.timeout(10):
            while len(read) < 20:
                await asyncio.sleep(0.01)
        for task in background:
            task.cancel()
    assert read == [position for (position,) in await found(committing, "SELECT position FROM events ORDER BY 1")]
