"""Tests the worker during outages of mail server and database, and the order of emails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import EmailLimitExceeded
from server.mailer import fallback as standby_module
from server.mailer import worker as worker_module
from server.mailer.circuit_breaker import FAILURES
from server.mailer.delivery import Delivery
from server.mailer.fallback import FallbackWorker
from server.mailer.in_hand import MAX_AT_ONCE, MAX_BULK
from server.mailer.outcome import Sent
from server.mailer.storage.queue import EmailQueue
from server.mailer.transport import SmtpMailer
from server.mailer.worker import EmailWorker
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from tests.fixtures.emails import add_account, add_mails, change, empty_queue, rows
from tests.fixtures.mail_sink import HANG, RESET, MailSink
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.fixtures.proofs import control
from tests.services.test_mail_worker import DUE, a_worker, compose, stands, status, until


@pytest.fixture
async def queue(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with empty_queue(shared_database_url) as unit_of_work:
        yield unit_of_work


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with MailSink().listening() as listening:
        yield listening


async def add(queue: UnitOfWork, count: int) -> None:
    async with queue.begin() as tx:
        await add_mails(tx, count)


async def add_code(queue: UnitOfWork, age: str = "10 min") -> None:
    """Adds an email that its recipient is waiting for."""
    async with queue.begin() as tx:
        account = await add_account(tx.connection)
        late = await tx.connection.scalar(text("SELECT now() + CAST(:age AS text)::interval"), {"age": age})
        new = NewEmail(EmailKind.PASSWORD_RESET, account, "code@example.org", sealed_code=b"x", expires_at=late)
        await tx[Outbox].add(new)


async def test_connections_are_used_again(queue: UnitOfWork, sink: MailSink) -> None:
    await add(queue, 100)
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await until(lambda: done(queue, 100))
    assert sink.connections <= MAX_AT_ONCE
    assert len(sink.contents) == 100


async def test_connection_closed_by_server_costs_no_attempt(queue: UnitOfWork, sink: MailSink) -> None:
    mailer = SmtpMailer(sink.server)
    async with a_worker(queue, mailer).running():
        await add(queue, 1)
        await until(lambda: done(queue, 1))
        for dialog in tuple(sink._open):
            dialog.cut()
        await add(queue, 1)
        await until(lambda: done(queue, 2))
    assert [attempts for _, attempts, _ in await rows(queue)] == [1, 1]
    assert sink.connections == 2


@pytest.mark.parametrize(("stage", "answer"), [("mail", RESET), ("rcpt", RESET), ("data", RESET), ("rcpt", "421 bye")])
async def test_broken_dialog_costs_no_attempt(queue: UnitOfWork, sink: MailSink, stage: str, answer: str) -> None:
    sink.answers[stage] = [answer]
    await add(queue, 1)
    worker = a_worker(queue, SmtpMailer(sink.server))
    async with worker.running():
        await until(lambda: tried(queue))
        assert [(state, attempts) for state, attempts, _ in await rows(queue)] == [("pending", 0)]
        await change(queue, DUE)
        worker.wake()
        await until(lambda: stands(queue, ("completed", 1, "")))
    assert len(sink.contents) == 1


@pytest.mark.parametrize("stage", ["connect", "data"])
async def test_hanging_server_delays_worker_by_one_stage_timeout(
    queue: UnitOfWork, sink: MailSink, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.mailer.transport.STAGE_SECONDS", 0.3)
    sink.answers[stage] = [HANG]
    await add(queue, 1)
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await until(lambda: tried(queue), seconds=2)
    assert [(state, attempts) for state, attempts, _ in await rows(queue)] == [("pending", 0)]


async def test_unreachable_server_is_probed_and_no_email_is_changed(
    queue: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "PROBE_SECONDS", 0.2)
    sink = MailSink()
    async with sink.listening():
        pass  # The server now has a port without a listener.
    await add(queue, 30)
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await until(lambda: unhealthy(queue))
        await until(lambda: all_given_back(queue))
        [(attempted, claims)] = await values(queue, "SELECT count(*) FILTER (WHERE error > ''), sum(fence) FROM emails")
        assert FAILURES <= int(str(attempted)) <= MAX_AT_ONCE
        await change(queue, DUE)
        await asyncio.sleep(0.5)
        assert await values(queue, "SELECT sum(fence) FROM emails") == [(claims,)]
        async with sink.listening():
            await until(lambda: done(queue, 30))
            await until(lambda: healthy(queue))
    assert {(state, attempts) for state, attempts, _ in await rows(queue)} == {("completed", 1)}
    assert len(sink.contents) == 30


async def test_code_is_sent_before_emails_that_are_not_urgent(queue: UnitOfWork, sink: MailSink) -> None:
    sink.seconds = 3600
    await add(queue, 50)
    async with asyncio.timeout(10):
        async with busy(queue, sink):
            await until(lambda: arrived(sink, MAX_BULK))
            await add_code(queue)
            await until(lambda: arrived(sink, MAX_BULK + 1), seconds=2)
            assert sink.recipients[-1] == ["code@example.org"]


async def test_code_that_expires_during_an_outage_is_erased(queue: UnitOfWork) -> None:
    await add_code(queue, "-1 s")
    async with queue.begin() as tx:
        assert await tx[EmailQueue].expire() == 1
        assert await tx[EmailQueue].expire() == 0
    assert await rows(queue) == [("failed", 0, "EXPIRED")]
    assert await values(queue, "SELECT sealed_code, harmless FROM emails") == [(None, True)]


async def test_emails_about_one_prescription_arrive_in_request_order(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, written: Written
) -> None:
    patient, doctor = pharmacy_people.patient.user_id, pharmacy_people.doctor.user_id
    async with work.begin() as tx:
        for recipient in (patient, patient, doctor):
            await tx[Outbox].add(NewEmail(EmailKind.CANCELLED, recipient, "p@example.org", written.id))
        queue = tx[EmailQueue]
        claimed = await queue.claim(8, 8)
        assert sorted(mail.recipient_id for mail in claimed) == sorted([patient, doctor])
        assert await queue.claim(8, 8) == ()
        await queue.record_outcomes([(mail, Sent()) for mail in claimed])
        (second,) = await queue.claim(8, 8)
    assert second.recipient_id == patient


async def test_outcome_is_stored_after_database_outage_without_resend(
    queue: UnitOfWork, sink: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RECORD_AGAIN_SECONDS", 0.05)
    record_outcomes, failures = EmailQueue.record_outcomes, [OSError(), OSError()]

    async def fail_twice(repository: EmailQueue, *outcomes: object) -> object:
        if failures:
            raise failures.pop()
        return await record_outcomes(repository, *outcomes)  # type: ignore[arg-type]

    monkeypatch.setattr(EmailQueue, "record_outcomes", fail_twice)
    await add(queue, 3)
    async with a_worker(queue, SmtpMailer(sink.server)).running():
        await until(lambda: done(queue, 3))
    assert failures == []
    assert len(sink.contents) == 3


async def test_serving_process_sends_only_while_no_worker_runs(
    queue: UnitOfWork, sink: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_module, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(standby_module, "LOOK_SECONDS", 0.1)
    stood_in: list[EmailWorker] = []

    @asynccontextmanager
    async def sending() -> AsyncIterator[None]:
        delivery = Delivery(compose, SmtpMailer(sink.server), max_attempts=3)
        stood_in.append(EmailWorker(queue, delivery, lambda: None, is_fallback=True))
        async with stood_in[-1].running():
            yield

    async with FallbackWorker(queue, sending).running():
        await add(queue, 2)
        await until(lambda: done(queue, 2))
        await until(lambda: healthy(queue))
        async with queue.begin() as tx:
            await tx[EmailQueue].record_heartbeat(new_id())
        await until(lambda: nobody_stands_in(queue))
        await change(queue, "UPDATE mail_workers SET seen_at = now() - interval '31 s'")
        await add(queue, 1)
        await until(lambda: done(queue, 3))
    assert len(stood_in) == 2
    assert await nobody_stands_in(queue)


@control("S60")
async def test_recipient_gets_20_requested_emails_a_day(queue: UnitOfWork) -> None:
    async with queue.begin() as tx:
        account = await add_account(tx.connection)
        await tx[Outbox].add(*[NewEmail(EmailKind.WELCOME, account, "p@example.org")] * 19)
        await tx[Outbox].check_room(account, 20)
        await tx[Outbox].add(NewEmail(EmailKind.WELCOME, account, "p@example.org"))
        with pytest.raises(EmailLimitExceeded) as refused:
            await tx[Outbox].check_room(account, 20)
        assert refused.value.retry_after == pytest.approx(86_400, abs=60)
        await tx[Outbox].check_room(await add_account(tx.connection), 20)
    await change(queue, "UPDATE emails SET created_at = now() - interval '25 h'")
    async with queue.begin() as tx:
        await tx[Outbox].check_room(account, 20)


@asynccontextmanager
async def busy(queue: UnitOfWork, sink: MailSink) -> AsyncIterator[None]:
    """Returns a worker that is not awaited, because its mail server never finishes."""
    run = asyncio.create_task(a_worker(queue, SmtpMailer(sink.server))._run())
    try:
        yield
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def values(queue: UnitOfWork, statement: str) -> list[tuple[object, ...]]:
    async with queue.read() as tx:
        return [tuple(row) for row in await tx.connection.rows(text(statement))]


async def done(queue: UnitOfWork, count: int) -> bool:
    return (await status(queue)).completed == count


async def tried(queue: UnitOfWork) -> bool:
    return all(error for _, _, error in await rows(queue))


async def healthy(queue: UnitOfWork) -> bool:
    return (await status(queue)).is_healthy


async def all_given_back(queue: UnitOfWork) -> bool:
    return {state for state, _, _ in await rows(queue)} == {"pending"}


async def unhealthy(queue: UnitOfWork) -> bool:
    return await values(queue, "SELECT circuit_open FROM mail_workers") == [(True,)]


async def arrived(sink: MailSink, count: int) -> bool:
    return len(sink.contents) == count


async def nobody_stands_in(queue: UnitOfWork) -> bool:
    return await values(queue, "SELECT id FROM mail_workers WHERE stands_in") == []
