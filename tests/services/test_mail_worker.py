"""Tests the worker with a real queue and a real mail server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from uuid import UUID

import pytest

from server.db.unit_of_work import UnitOfWork
from server.errors import Unavailable
from server.mailer.delivery import Compose, Delivery
from server.mailer.entities import ClaimedEmail, QueueStatus
from server.mailer.in_hand import MAX_BULK
from server.mailer.message import OutgoingEmail, RenderedEmail, build_message
from server.mailer.storage.queue import EmailQueue
from server.mailer.transport import Mailer, SmtpMailer, SmtpServer
from server.mailer.worker import EmailWorker
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.emails import add_mails, change, empty_queue, rows
from tests.fixtures.mail_sink import MailSink, free_port
from tests.fixtures.pace import within

DUE = "UPDATE emails SET due_at = now() WHERE state = 'pending'"


@pytest.fixture
async def queue(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with empty_queue(shared_database_url) as unit_of_work:
        yield unit_of_work


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with MailSink().listening() as listening:
        yield listening


async def compose(mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
    rendered = RenderedEmail("Test", "text\n", "<p>html</p>")
    return {mail.id: build_message(mail, "MedConnect <no-reply@hospital.example>", rendered, None) for mail in mails}


def a_worker(queue: UnitOfWork, mailer: Mailer, composing: Compose = compose) -> EmailWorker:
    return EmailWorker(queue, Delivery(composing, mailer, max_attempts=3), lambda: None)


async def add(queue: UnitOfWork, count: int) -> None:
    async with queue.begin() as tx:
        await add_mails(tx, count)


async def status(queue: UnitOfWork) -> QueueStatus:
    async with queue.read() as tx:
        return await tx[EmailQueue].status()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(within(seconds)):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_two_workers_send_200_emails_once_with_correct_totals(queue: UnitOfWork, sink: MailSink) -> None:
    await add(queue, 200)
    seen: list[QueueStatus] = []

    async def all_are_sent() -> bool:
        seen.append(await status(queue))
        return seen[-1].completed == 200

    async with AsyncExitStack() as workers:
        for _ in range(2):
            await workers.enter_async_context(a_worker(queue, SmtpMailer(sink.server)).running())
        await until(all_are_sent, seconds=30)
    assert {reading.total for reading in seen} == {200}
    assert Counter(address for [address] in sink.recipients) == {f"{n}@example.org": 1 for n in range(200)}


async def test_notified_worker_sends_at_once_and_records_its_life(queue: UnitOfWork, sink: MailSink) -> None:
    worker = a_worker(queue, SmtpMailer(sink.server))
    async with worker.running():
        await asyncio.sleep(0.2)
        await add(queue, 1)
        worker.wake()
        await until(lambda: arrived(sink, 1), seconds=0.6)
        await until(lambda: completed(queue, 1))
        assert (await status(queue)).is_healthy
    assert not (await status(queue)).is_healthy


async def test_email_without_notification_is_found_within_a_second(queue: UnitOfWork, sink: MailSink) -> None:
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await asyncio.sleep(0.2)
        await add(queue, 1)
        await until(lambda: arrived(sink, 1), seconds=1.5)


async def test_email_of_killed_worker_is_sent_after_lease_expires(queue: UnitOfWork, sink: MailSink) -> None:
    await add(queue, 1)
    async with queue.begin() as tx:
        await tx[EmailQueue].claim(1, 1)  # The worker is gone.
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await asyncio.sleep(0.3)
        assert sink.contents == []
        await change(queue, "UPDATE emails SET lease_expires_at = now() - interval '1 s'")
        await until(lambda: completed(queue, 1))
    assert len(sink.contents) == 1


async def test_email_deferred_twice_is_delivered_once(queue: UnitOfWork, sink: MailSink) -> None:
    sink.answers["rcpt"] = ["451 4.7.1 greylisted", "451 4.7.1 greylisted"]
    await add(queue, 1)
    worker = a_worker(queue, SmtpMailer(sink.server))
    async with worker.running():
        for attempts in (1, 2):
            await until(partial(stands, queue, ("pending", attempts, "451 4.7.1 greylisted")))
            await change(queue, DUE)
            worker.wake()
        await until(lambda: stands(queue, ("completed", 3, "")))
    assert len(sink.contents) == 1


async def test_email_deferred_for_a_day_fails(queue: UnitOfWork, sink: MailSink) -> None:
    sink.answers["data"] = ["452 4.3.1 full"]
    await add(queue, 1)
    await change(queue, "UPDATE emails SET attempts = 29, deferrals = 29, queued_at = now() - interval '24 h'")
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await until(lambda: stands(queue, ("failed", 30, "452 4.3.1 full")))
    assert sink.contents == []


async def test_rejected_email_fails_at_once_with_the_servers_reply(queue: UnitOfWork, sink: MailSink) -> None:
    sink.answers["rcpt"] = ["550 5.1.1 no such user"]
    await add(queue, 1)
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await until(lambda: stands(queue, ("failed", 1, "550 5.1.1 no such user")))
    assert sink.contents == []


async def test_unreachable_mail_server_costs_no_attempt(queue: UnitOfWork) -> None:
    sink = MailSink(port=free_port())
    await add(queue, 1)
    worker = a_worker(queue, SmtpMailer(SmtpServer("localhost", sink.port, "none")))
    async with worker.running():
        for _ in range(4):
            await until(lambda: stands_pending_with_error(queue))
            await change(queue, "UPDATE emails SET due_at = now(), error = ''")
            worker.wake()
        await until(lambda: stands_pending_with_error(queue))
        assert [attempts for _, attempts, _ in await rows(queue)] == [0]
        async with sink.listening():
            await change(queue, DUE)
            worker.wake()
            await until(lambda: stands(queue, ("completed", 1, "")))
    assert len(sink.contents) == 1


async def test_email_that_cannot_be_composed_does_not_block_others(queue: UnitOfWork, sink: MailSink) -> None:
    async def stumble(mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
        if "3@example.org" in {mail.recipient for mail in mails}:
            raise KeyError("a name that must not be stored")
        return await compose(mails)

    await add(queue, 20)
    worker = a_worker(queue, SmtpMailer(sink.server), stumble)
    async with worker.running():
        await until(lambda: completed(queue, 19))
        for attempts in (1, 2):
            await until(partial(tried, queue, attempts))
            await change(queue, DUE)
            worker.wake()
        await until(lambda: failed(queue, 1))
    assert ("failed", 3, "could not be composed: KeyError") in await rows(queue)
    assert len(sink.contents) == 19


async def test_stopped_worker_finishes_its_claimed_emails(queue: UnitOfWork, sink: MailSink) -> None:
    composing, released = asyncio.Event(), asyncio.Event()

    async def compose_slowly(mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
        composing.set()
        await released.wait()
        return await compose(mails)

    await add(queue, 9)
    async with a_worker(queue, SmtpMailer(sink.server), compose_slowly).running():
        await composing.wait()
        asyncio.get_running_loop().call_later(0.2, released.set)
    found = await status(queue)
    assert (found.completed, found.pending, found.processing) == (MAX_BULK, 9 - MAX_BULK, 0)
    assert len(sink.contents) == MAX_BULK


async def test_a_worker_outlives_its_database(database_url: str, sink: MailSink) -> None:
    async with committing_work(database_url) as queue:
        worker = a_worker(queue, SmtpMailer(sink.server))
        async with worker.running():
            await cut_connections(database_url)
            await until(lambda: added(queue))
            await until(lambda: completed(queue, 1))


async def added(queue: UnitOfWork) -> bool:
    """Returns whether an email could be added; a connection that was cut raises once."""
    try:
        await add(queue, 1)
    except Unavailable:
        return False
    return True


async def cut_connections(url: str) -> None:
    """Cuts every connection to this database except its own."""
    await as_owner(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def arrived(sink: MailSink, count: int) -> bool:
    return len(sink.contents) == count


async def completed(queue: UnitOfWork, count: int) -> bool:
    return (await status(queue)).completed == count


async def tried(queue: UnitOfWork, attempts: int) -> bool:
    return ("pending", attempts, "could not be composed: KeyError") in await rows(queue)


async def failed(queue: UnitOfWork, count: int) -> bool:
    return (await status(queue)).failed == count


async def stands(queue: UnitOfWork, row: tuple[str, int, str]) -> bool:
    return await rows(queue) == [row]


async def stands_pending_with_error(queue: UnitOfWork) -> bool:
    [(state, _, error)] = await rows(queue)
    return state == "pending" and error.startswith("SMTPConnectError")
