"""Emails in quantity under rollbacks, delays, outages, poison messages and several workers, with watchers."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from email import message_from_bytes
from uuid import UUID

import pytest
from sqlalchemy import text

from server.auth.events import UserRegistered
from server.db.engine import connector, create_pool
from server.db.notifications import Channel, Notifications
from server.db.unit_of_work import UnitOfWork
from server.events.storage.events import EventRepository
from server.identity import Role
from server.mailer import worker as worker_module
from server.mailer.delivery import Delivery
from server.mailer.entities import ClaimedEmail, QueueStatus
from server.mailer.message import OutgoingEmail
from server.mailer.storage.queue import EmailQueue
from server.mailer.transport import SmtpMailer
from server.mailer.worker import EmailWorker
from server.queue_admin.service import EventsService
from server.runtime.work import unit_of_work
from tests.fixtures.clinical import TOKENS
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import committing_work
from tests.fixtures.emails import add_account, add_mails, change, rows
from tests.fixtures.mail_sink import MailSink
from tests.fixtures.pace import within
from tests.fixtures.proofs import requirement
from tests.fixtures.users import a_user
from tests.services.test_mail_worker import compose

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ears'"


class Undone(Exception):
    """Makes a use case fail after its last statement."""


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(database_url, pool_size=8, owner=True) as unit_of_work:
        yield unit_of_work


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with MailSink().listening() as listening:
        yield listening


def a_worker(queue: UnitOfWork, sink: MailSink) -> EmailWorker:
    return EmailWorker(queue, Delivery(compose, SmtpMailer(sink.server), max_attempts=3), lambda: None)


async def status(queue: UnitOfWork) -> QueueStatus:
    async with queue.read() as tx:
        return await tx[EmailQueue].status()


async def settled(queue: UnitOfWork, seconds: float = 120) -> QueueStatus:
    """Waits until the queue has no unfinished email, and returns its status."""
    async with asyncio.timeout(within(seconds)):
        while (found := await status(queue)).pending or found.processing:
            await asyncio.sleep(0.05)
    return found


def message_ids(sink: MailSink) -> Counter[str]:
    return Counter(str(message_from_bytes(content)["Message-ID"]) for content in sink.contents)


async def use_case(queue: UnitOfWork, fails: bool) -> None:
    async with queue.begin() as tx:
        user_id = await add_account(tx.connection)
        await tx[EventRepository].record(UserRegistered(a_user(Role.ADMIN, id=user_id), invited=False))
        if fails:
            raise Undone


@requirement("R8")
async def test_rolled_back_use_case_sends_nothing(queue: UnitOfWork, sink: MailSink, mails: int) -> None:
    async with a_worker(queue, sink).running():
        for number in range(mails):
            try:
                await use_case(queue, fails=number % 10 in (2, 5, 8))
            except Undone:
                continue
        await settled(queue)
    sent = message_ids(sink)
    print(f"{mails} use cases, 3 of 10 rolled back after their last statement: {len(sent)} emails")
    assert len(sent) == sum(sent.values()) == mails - mails // 10 * 3


@asynccontextmanager
async def ringing(url: str) -> AsyncIterator[tuple[UnitOfWork, Notifications]]:
    """Yields a process's unit of work, which notifies after its commits, and its notifications."""
    pool = create_pool(url, pool_size=4)
    notifications = Notifications(connector(url, application="ears"))
    try:
        async with notifications.running():
            yield unit_of_work(pool, lambda: notifications.notify(Channel.MAIL)), notifications
    finally:
        await pool.close()


@requirement("R11")
@pytest.mark.parametrize("cut", [False, True], ids=["healthy", "the listening connection cut repeatedly"])
async def test_email_reaches_mail_server_soon_after_commit(
    database_url: str, queue: UnitOfWork, sink: MailSink, mails: int, cut: bool
) -> None:
    arrived: list[float] = []
    sink.reached = lambda stage: arrived.append(time.monotonic()) if stage == "data" else None
    delays = []
    async with ringing(database_url) as (server, _), ringing(database_url) as (work, ears):
        worker = a_worker(work, sink)
        with ears.subscribe(Channel.MAIL, worker.wake):
            async with worker.running():
                await asyncio.sleep(0.3)
                for number in range(min(mails, 1000) // 5):
                    if cut and number % 5 == 0:
                        await change(queue, CUT)
                    async with server.begin() as tx:
                        await add_mails(tx, 1)
                    committed = time.monotonic()
                    async with asyncio.timeout(5):
                        while len(arrived) <= number:
                            await asyncio.sleep(0.002)
                    delays.append(arrived[number] - committed)
                await settled(queue)
    p50, worst = statistics.median(delays), max(delays)
    print(f"{len(delays)} emails, cut: {cut}: commit to mail server p50 {p50 * 1000:.0f} ms, worst {worst:.2f} s")
    assert worst <= within(3)
    assert cut or p50 <= within(0.3)
    assert set(message_ids(sink).values()) == {1}


@requirement("R12", "R16")
async def test_mail_server_outage_loses_nothing_counts_add_up(
    queue: UnitOfWork, mails: int, outage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "PROBE_SECONDS", min(5.0, outage / 4))
    sink, seen = MailSink(), []
    async with sink.listening():
        pass  # now it has a port on which no process listens
    count = mails * 3 // 2
    before = [await timed(queue) for _ in range(30)]
    async with queue.begin() as tx:
        await add_mails(tx, count)

    async def watch() -> None:
        async with aclosing(EventsService(queue, SettableClock().clock, TOKENS).watch_status()) as states:
            async for state in states:
                seen.append(state)  # noqa: PERF401 - it never ends

    watching = asyncio.create_task(watch())
    async with a_worker(queue, sink).running():
        end = time.monotonic() + outage
        during = []
        while time.monotonic() < end:
            during.append(await timed(queue))
            seen.append(await status(queue))
            await asyncio.sleep(0.1)
        assert (await status(queue)).completed == 0
        assert {attempts for _, attempts, _ in await rows(queue)} == {0}
        async with sink.listening():
            begun = time.monotonic()
            await settled(queue)
            seconds = time.monotonic() - begun
    watching.cancel()
    sent = message_ids(sink)
    print(
        f"away for {outage} s with {count} queued: {len(sent)} delivered, at {count / seconds:.0f} emails/s; "
        f"{len(seen)} samples; a use case took {statistics.median(before) * 1000:.1f} ms before, "
        f"{statistics.median(during) * 1000:.1f} ms meanwhile"
    )
    assert len(sent) == sum(sent.values()) == count
    assert {state.total for state in seen} <= {0, count}
    assert statistics.median(during) <= 2 * statistics.median(before) + 0.01


async def timed(queue: UnitOfWork) -> float:
    """Returns the seconds that a use case without emails takes."""
    begun = time.monotonic()
    async with queue.begin() as tx:
        await add_account(tx.connection)
    return time.monotonic() - begun


@requirement("R17")
async def test_three_workers_share_emails_and_send_none_twice(queue: UnitOfWork, mails: int) -> None:
    async with AsyncExitStack() as stack:
        sinks = [await stack.enter_async_context(MailSink(seconds=0.01).listening()) for _ in range(3)]
        async with queue.begin() as tx:
            await add_mails(tx, mails)
        async with AsyncExitStack() as workers:
            for sink in sinks:
                await workers.enter_async_context(a_worker(queue, sink).running())
            await settled(queue)
        shares = [len(sink.contents) for sink in sinks]
    print(f"{mails} emails, three workers: {shares}")
    assert sum(shares) == mails
    assert min(shares) >= mails * 0.2


@requirement("R15")
async def test_poison_email_is_given_up_and_others_are_sent(queue: UnitOfWork, sink: MailSink, mails: int) -> None:
    async def stumble(mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
        if "7@example.org" in {mail.recipient for mail in mails}:
            raise KeyError("poison")
        return await compose(mails)

    async with queue.begin() as tx:
        await add_mails(tx, mails)
    begun = time.monotonic()
    worker = EmailWorker(queue, Delivery(stumble, SmtpMailer(sink.server), max_attempts=3), lambda: None)
    async with worker.running(), asyncio.timeout(30):
        while (found := await status(queue)).completed < mails - 1:
            await asyncio.sleep(0.02)
        print(f"{found.completed} of {mails} delivered in {time.monotonic() - begun:.1f} s")
        while (found := await status(queue)).failed == 0:
            await change(queue, "UPDATE emails SET due_at = now() WHERE state = 'pending'")
            await asyncio.sleep(0.1)
    assert [error for state, _, error in await rows(queue) if state == "failed"] == ["could not be composed: KeyError"]


@requirement("R14")
async def test_codes_with_slow_mail_server_overtake_bulk(queue: UnitOfWork, mails: int) -> None:
    delays = []
    async with MailSink(seconds=1).listening() as sink:
        async with queue.begin() as tx:
            account = await add_account(tx.connection)
            await add_mails(tx, mails)
        async with a_worker(queue, sink).running():
            await asyncio.sleep(0.5)
            for number in range(3):
                begun = time.monotonic()
                async with queue.begin() as tx:
                    await tx.connection.execute(
                        text(
                            "INSERT INTO emails (id, kind, recipient_id, recipient, expires_at)"
                            " VALUES (gen_random_uuid(), 'password_reset', :id, :to, now() + interval '10 min')"
                        ),
                        {"id": account, "to": f"code{number}@example.org"},
                    )
                async with asyncio.timeout(10):
                    while [f"code{number}@example.org"] not in sink.recipients:
                        await asyncio.sleep(0.01)
                delays.append(time.monotonic() - begun)
            left = (await status(queue)).pending
            await change(queue, "UPDATE emails SET state = 'failed', finished_at = now() WHERE state = 'pending'")
    print(f"codes took {max(delays):.1f} s at most, with {left} emails waiting")
    assert left > 0
    assert max(delays) <= 10
