"""Tests the feed of email state changes: complete, in order, resumable, and equal in every process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest

from server.db.unit_of_work import UnitOfWork
from server.outbox.entities import EmailState
from server.queue_admin import feed as module
from server.queue_admin.feed import IN_HAND, EmailFeed, FeedItem
from server.queue_admin.sequencer import Sequencer
from tests.fixtures.emails import add_mails, change, empty_queue
from tests.fixtures.pace import within

SEND = (
    "UPDATE emails SET state = 'processing', lease_expires_at = now() WHERE state = 'pending'",
    "UPDATE emails SET state = 'completed', lease_expires_at = NULL, finished_at = now() WHERE state = 'processing'",
)
Watching = AsyncGenerator[FeedItem, None]


@pytest.fixture
async def queue(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with empty_queue(shared_database_url) as unit_of_work:
        yield unit_of_work


async def place(queue: UnitOfWork) -> None:
    while await Sequencer(queue, lambda: None).assign_positions():
        await asyncio.sleep(0.01)


async def send(queue: UnitOfWork, count: int) -> None:
    """Runs this many emails from their first state to their last: three changes each."""
    async with queue.begin() as tx:
        await add_mails(tx, count)
    for statement in SEND:
        await change(queue, statement)
    await place(queue)


async def next_of(watching: Watching, seconds: float = 5) -> FeedItem:
    async with asyncio.timeout(within(seconds)):
        return await anext(watching)


async def take(watching: Watching, count: int) -> list[FeedItem]:
    return [await next_of(watching) for _ in range(count)]


async def test_watcher_gets_feed_position_then_each_change_in_order(queue: UnitOfWork) -> None:
    await send(queue, 1)
    async with aclosing(EmailFeed(queue).watch(None)) as watching:
        start = await next_of(watching, 0.5)
        assert start.change is None
        await send(queue, 1)
        seen = await take(watching, 3)
    assert [watched.change.state for watched in seen if watched.change] == [
        EmailState.PENDING,
        EmailState.PROCESSING,
        EmailState.COMPLETED,
    ]
    assert start.sequence < seen[0].sequence < seen[1].sequence < seen[2].sequence
    assert {watched.change.recipient for watched in seen if watched.change} == {"0***@example.org"}


async def test_watcher_resumes_after_its_position_in_another_process(queue: UnitOfWork) -> None:
    await send(queue, 40)
    everything = await all_since(EmailFeed(queue), 0)
    assert len(everything) == 120
    for seen in (1, 60, 119):
        rest = await all_since(EmailFeed(queue), everything[seen - 1])
        assert rest == everything[seen:]
    assert await all_since(EmailFeed(queue), 10**15) == []


async def test_every_watcher_sees_all_changes_at_any_start_and_speed(
    queue: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECENT", 16)
    feeds = [EmailFeed(queue), EmailFeed(queue)]
    for feed in feeds:
        feed._reading._poll = 0.2  # nothing notifies them
    async with AsyncExitStack() as stack:
        fast = [await stack.enter_async_context(aclosing(feed.watch(0))) for feed in feeds]
        slow = await stack.enter_async_context(aclosing(feeds[0].watch(0)))
        for watching in (*fast, slow):
            await next_of(watching)
        followed: list[list[int]] = [[], []]
        for _ in range(5):
            await send(queue, 10)
            for numbers, watching in zip(followed, fast, strict=True):
                numbers += [watched.sequence for watched in await take(watching, 30)]
        late = [watched.sequence for watched in await take(slow, 150)]
    assert followed[0] == followed[1] == late
    assert late == sorted(set(late))
    assert len(feeds[0]._recent) <= 16


async def test_no_more_is_held_for_a_watcher_than_a_handful(queue: UnitOfWork) -> None:
    await send(queue, IN_HAND)
    feed = EmailFeed(queue)
    async with aclosing(feed.watch(0)) as watching:
        first = await next_of(watching)
        assert len((await feed._changes_after(first.sequence))[1]) == IN_HAND
        assert len(feed._recent) == 0


async def test_a_stream_that_has_nothing_to_tell_says_that_it_lives(
    queue: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_SILENCE_SECONDS", 0.2)
    await send(queue, 1)
    async with aclosing(EmailFeed(queue).watch(None)) as watching:
        beats = await take(watching, 3)
    assert {beat.sequence for beat in beats} == {beats[0].sequence}
    assert [beat.change for beat in beats] == [None] * 3


async def test_changes_reach_a_watcher_at_once_after_notification(queue: UnitOfWork) -> None:
    feed = EmailFeed(queue)
    async with aclosing(feed.watch(None)) as watching:
        await next_of(watching)
        waiting = asyncio.create_task(next_of(watching))
        await asyncio.sleep(0.05)
        await send(queue, 1)
        feed.wake()
        begun = asyncio.get_running_loop().time()
        await waiting
        assert asyncio.get_running_loop().time() - begun < within(0.5)


async def all_since(feed: EmailFeed, after: int) -> list[int]:
    """Returns the sequence numbers of every change after a position in the feed."""
    found: list[int] = []
    async with aclosing(feed.watch(after)) as watching:
        await next_of(watching)
        try:
            while True:
                found.append((await next_of(watching, 0.4)).sequence)
        except TimeoutError:
            return found
