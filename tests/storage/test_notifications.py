"""Tests notifications between processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import text

from server.db import notifications as module
from server.db.engine import connector, create_pool
from server.db.notifications import Channel, Notifications
from server.runtime.work import unit_of_work
from tests.fixtures.database import committing_work
from tests.fixtures.emails import add_mails
from tests.fixtures.pace import within

LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ears' AND query LIKE 'LISTEN%'"
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ears'"


@asynccontextmanager
async def a_process(url: str) -> AsyncIterator[Notifications]:
    notifications = Notifications(connector(url, application="ears"))
    async with notifications.running():
        yield notifications


async def until(holds: Callable[[], object], seconds: float = 5) -> None:
    async with asyncio.timeout(within(seconds)):
        while not holds():
            await asyncio.sleep(0.01)


async def listen(url: str, processes: int = 1) -> None:
    """Waits until this many processes listen."""
    async with committing_work(url, owner=True) as work, asyncio.timeout(5):
        while True:
            async with work.read() as tx:
                if await tx.connection.scalar(text(LISTENING)) == processes:
                    return
            await asyncio.sleep(0.01)


async def test_notification_reaches_every_process_on_its_channel_only(database_url: str) -> None:
    heard: list[str] = []
    async with a_process(database_url) as first, a_process(database_url) as second:
        with (
            first.subscribe(Channel.MAIL, lambda: heard.append("first")),
            second.subscribe(Channel.MAIL, lambda: heard.append("second")),
            second.subscribe(Channel.FEED, lambda: heard.append("feed")),
        ):
            await listen(database_url, 2)
            first.notify(Channel.MAIL)
            await until(lambda: len(heard) == 2)
        first.notify(Channel.MAIL)
        await asyncio.sleep(0.1)
    assert sorted(heard) == ["first", "second"]


async def test_many_rings_at_once_are_heard_as_one_or_two(database_url: str) -> None:
    heard: list[None] = []
    async with a_process(database_url) as process:
        await listen(database_url)
        with process.subscribe(Channel.MAIL, lambda: heard.append(None)):
            for _ in range(1000):
                process.notify(Channel.MAIL)
            await until(lambda: heard)
            await asyncio.sleep(0.1)
    assert len(heard) <= 2


async def test_listener_reconnects_after_a_lost_connection(database_url: str) -> None:
    heard: list[None] = []
    async with a_process(database_url) as process, committing_work(database_url, owner=True) as work:
        await listen(database_url)
        async with work.read() as tx:
            await tx.connection.execute(text(CUT))
        await asyncio.sleep(module.RECONNECT_SECONDS)
        await listen(database_url)
        with process.subscribe(Channel.MAIL, lambda: heard.append(None)):
            process.notify(Channel.MAIL)
            await until(lambda: heard)


async def test_only_use_cases_with_emails_notify_after_commit(database_url: str) -> None:
    rung: list[int] = []
    pool = create_pool(database_url, pool_size=2)

    def ring() -> None:
        rung.append(1)

    work = unit_of_work(pool, ring)
    async with work.begin() as tx:
        await tx.connection.execute(text("SELECT 1"))
    assert rung == []
    async with work.shared():
        async with work.begin() as joined:
            await add_mails(joined, 1)
        assert rung == []
        async with pool.connection() as other:
            assert await other.scalar(text("SELECT count(*) FROM emails")) == 0
    assert rung == [1]
    await pool.close()
