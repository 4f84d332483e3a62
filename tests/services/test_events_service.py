"""Tests how admins read and watch the email queue."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from medconnect.events.v1 import events_service_pb2 as pb

from server.api.events import mapping
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.errors import DatabaseUnavailable, ServerBusy
from server.mailer.entities import QueueStatus
from server.queue_admin.coalesced_poll import CoalescedPoll
from server.queue_admin.service import EventsService, is_news
from tests.fixtures.clinical import TOKENS
from tests.fixtures.emails import add_mails, change, empty_queue
from tests.fixtures.pace import within

NOW = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)
STATUS = QueueStatus(pending=2, processing=1, completed=2, failed=0, is_healthy=True, as_of=NOW)


@pytest.fixture
async def queue(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with empty_queue(shared_database_url) as unit_of_work:
        yield unit_of_work


def a_service(queue: UnitOfWork) -> EventsService:
    return EventsService(queue, Clock(), TOKENS)


async def next_of(states: AsyncGenerator[QueueStatus, None], seconds: float = 1.5) -> QueueStatus:
    async with asyncio.timeout(within(seconds)):
        return await anext(states)


async def test_status_has_counts_and_database_time(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 3)
    status = await a_service(work).status()
    assert (status.total, status.pending, status.is_healthy) == (3, 3, False)
    assert abs(datetime.now(UTC) - status.as_of) < timedelta(seconds=10)


async def test_a_watcher_gets_a_snapshot_at_once_and_then_each_change(queue: UnitOfWork) -> None:
    async with aclosing(a_service(queue).watch_status()) as states:
        assert (await next_of(states, 0.5)).total == 0
        for count in (1, 2):
            async with queue.begin() as tx:
                await add_mails(tx, 1)
            assert (await next_of(states)).pending == count


async def test_nothing_is_shown_while_nothing_changes(queue: UnitOfWork) -> None:
    async with aclosing(a_service(queue).watch_status()) as states:
        await next_of(states)
        with pytest.raises(TimeoutError):
            await next_of(states, 2.2)


async def test_two_watchers_both_see_everything(queue: UnitOfWork) -> None:
    service = a_service(queue)
    async with aclosing(service.watch_status()) as first, aclosing(service.watch_status()) as second:
        assert [(await next_of(states)).total for states in (first, second)] == [0, 0]
        for statement in (
            "UPDATE emails SET state = 'completed', finished_at = now()",
            "UPDATE emails SET state = 'failed', finished_at = now()",
        ):
            async with queue.begin() as tx:
                await add_mails(tx, 1)
            seen = await asyncio.gather(next_of(first), next_of(second))
            assert seen[0] == seen[1]
            await change(queue, statement)
            seen = await asyncio.gather(next_of(first), next_of(second))
            assert seen[0] == seen[1]
            assert seen[0].pending == 0


async def test_a_watcher_that_leaves_does_not_end_the_others_stream(queue: UnitOfWork) -> None:
    service = a_service(queue)
    async with aclosing(service.watch_status()) as staying, aclosing(service.watch_status()) as leaving:
        await next_of(staying)
        await next_of(leaving)
        waiting = asyncio.create_task(next_of(staying))
        left = asyncio.create_task(next_of(leaving))
        await asyncio.sleep(0.1)
        left.cancel()
        async with queue.begin() as tx:
            await add_mails(tx, 1)
        assert (await waiting).total == 1
        assert left.cancelled()


async def test_however_many_wait_the_queue_is_read_once() -> None:
    readings = 0

    async def read() -> QueueStatus:
        nonlocal readings
        readings += 1
        return STATUS

    feed = CoalescedPoll(read, poll=0.05, least_pause=0.01)
    assert await asyncio.gather(*(feed.next() for _ in range(50))) == [STATUS] * 50
    assert readings == 1
    await asyncio.sleep(0.2)
    assert readings == 1
    await feed.next()
    assert readings == 2


async def test_an_error_of_a_read_without_watchers_is_not_reported() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def read() -> QueueStatus:
        raise ServerBusy

    feed = CoalescedPoll(read, poll=0.01, least_pause=0.01)
    left = asyncio.create_task(feed.next())
    await asyncio.sleep(0)
    left.cancel()
    await feed.end()
    del feed, left
    gc.collect()
    assert reported == []


async def test_read_without_watchers_ends_before_the_database_closes() -> None:
    reading = asyncio.Event()

    async def read() -> QueueStatus:
        reading.set()
        await asyncio.sleep(0.05)
        reading.clear()
        return STATUS

    feed = CoalescedPoll(read, poll=60, least_pause=0.01)
    left = asyncio.create_task(feed.next())
    await asyncio.sleep(0)
    left.cancel()
    async with asyncio.timeout(within(1)):
        ended = asyncio.create_task(feed.end())
        await reading.wait()
        await ended
    assert not reading.is_set()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_failed_read_ends_every_stream_and_the_next_read_retries() -> None:
    outcomes = [DatabaseUnavailable()]

    async def read() -> QueueStatus:
        if outcomes:
            raise outcomes.pop()
        return STATUS

    feed = CoalescedPoll(read, poll=0.02, least_pause=0.01)
    seen = await asyncio.gather(feed.next(), feed.next(), return_exceptions=True)
    assert [type(outcome) for outcome in seen] == [DatabaseUnavailable, DatabaseUnavailable]
    assert await feed.next() == STATUS


def test_watch_sends_changes_and_a_heartbeat_after_20_seconds() -> None:
    assert is_news(replace(STATUS, pending=1, processing=2), STATUS)
    assert is_news(replace(STATUS, is_healthy=False), STATUS)
    assert not is_news(replace(STATUS, as_of=NOW + timedelta(seconds=17.9)), STATUS)
    assert is_news(replace(STATUS, as_of=NOW + timedelta(seconds=18)), STATUS)


def test_both_responses_agree_and_their_counts_add_up() -> None:
    answer = mapping.get_response(STATUS)
    assert answer == pb.GetEmailQueueStatusResponse(
        total_jobs=5,
        pending_jobs=2,
        processing_jobs=1,
        completed_jobs=2,
        failed_jobs=0,
        is_healthy=True,
        last_updated=answer.last_updated,
    )
    assert answer.last_updated.ToDatetime(UTC) == NOW
    assert mapping.watch_response(STATUS).SerializeToString() == answer.SerializeToString()
