"""Tests emails that a mail server rejects temporarily: their retries, the limit, and the emails that wait for them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from server.db.unit_of_work import UnitOfWork
from server.mailer.delivery import Delivery
from server.mailer.entities import ClaimedEmail
from server.mailer.message import OutgoingEmail
from server.mailer.outcome import DeliveryOutcome, Sent
from server.mailer.storage.queue import EmailQueue
from server.mailer.transport import SmtpMailer
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from tests.fixtures.emails import add_account, empty_queue, rows
from tests.fixtures.mail_sink import MailSink
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.services.test_mail_worker import compose

GREYLISTED = "450 4.2.0 greylisted"
GREYLISTING = timedelta(minutes=5)
FOR_EVER = timedelta(days=365)
DAY = timedelta(hours=24)
SCHEDULE = (5.0, 30.0, 120.0, 600.0, 1800.0)
HOURLY = 3600.0


@pytest.fixture
async def queue(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with empty_queue(shared_database_url) as unit_of_work:
        yield unit_of_work


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with MailSink().listening() as listening:
        yield listening


async def attempt(delivery: Delivery, mail: ClaimedEmail) -> DeliveryOutcome:
    """Composes and sends one email."""
    ready = (await delivery.prepare([mail]))[mail.id]
    return await delivery.send(mail, ready) if isinstance(ready, OutgoingEmail) else ready


class Post:
    """Sends the queue's emails when they are due. Rows are aged to pass time; the sink greylists for this duration."""

    def __init__(self, queue: UnitOfWork, sink: MailSink, greylisting: timedelta) -> None:
        self._queue = queue
        self._sink = sink
        self._greylisting = greylisting
        self._delivery = Delivery(compose, SmtpMailer(sink.server), max_attempts=3)
        self.elapsed = timedelta()
        self.tries: list[timedelta] = []
        sink.reached = self._reached

    def _reached(self, stage: str) -> None:
        if stage == "rcpt":
            self.tries.append(self.elapsed)
            self._sink.answers["rcpt"] = [GREYLISTED] if self.elapsed < self._greylisting else []

    async def run(self) -> None:
        """Sends until no email waits."""
        while await self._try_due():
            await self._pass(await self._pause())
        await self._delivery.mailer.close()

    async def _try_due(self) -> bool:
        async with self._queue.begin() as tx:
            await tx[EmailQueue].expire()
            claimed = await tx[EmailQueue].claim(8, 6)
        outcomes = [(mail, await attempt(self._delivery, mail)) for mail in claimed]
        if outcomes:
            async with self._queue.begin() as tx:
                await tx[EmailQueue].record_outcomes(outcomes)
        return any(state == "pending" for state, _, _ in await rows(self._queue))

    async def _pause(self) -> timedelta:
        async with self._queue.read() as tx:
            statement = "SELECT min(least(due_at, expires_at)) - now() FROM emails WHERE state = 'pending'"
            pause: timedelta = await tx.connection.scalar(text(statement))
            return pause

    async def _pass(self, pause: timedelta) -> None:
        self.elapsed += pause
        columns = ("due_at", "queued_at", "expires_at", "created_at")
        aged = ", ".join(f"{column} = {column} - CAST(:pause AS interval)" for column in columns)
        async with self._queue.begin() as tx:
            await tx.connection.execute(text(f"UPDATE emails SET {aged}"), {"pause": pause})  # noqa: S608 - constants

    def pauses(self) -> list[float]:
        return [(after - before).total_seconds() for before, after in zip(self.tries, self.tries[1:], strict=False)]


async def add(queue: UnitOfWork, **fields: Any) -> None:
    async with queue.begin() as tx:
        account = await add_account(tx.connection)
        await tx[Outbox].add(NewEmail(EmailKind.WELCOME, account, "p@example.org", **fields))


async def add_code(queue: UnitOfWork, minutes: int) -> None:
    async with queue.read() as tx:
        now = await tx.connection.scalar(text("SELECT now()"))
    await add(queue, sealed_code=b"x", expires_at=now + timedelta(minutes=minutes))


async def test_a_greylisted_email_is_delivered_by_the_schedule(queue: UnitOfWork, sink: MailSink) -> None:
    await add(queue)
    post = Post(queue, sink, GREYLISTING)
    await post.run()
    assert await rows(queue) == [("completed", 5, "")]
    assert len(sink.contents) == 1
    for pause, planned in zip(post.pauses(), SCHEDULE, strict=False):
        assert planned * 0.79 < pause < planned * 1.21


async def test_an_email_that_is_always_deferred_fails_after_a_day(queue: UnitOfWork, sink: MailSink) -> None:
    await add(queue)
    post = Post(queue, sink, FOR_EVER)
    await post.run()
    [(state, attempts, error)] = await rows(queue)
    assert (state, error) == ("failed", GREYLISTED)
    assert attempts == len(post.tries)
    assert DAY <= post.elapsed < DAY + timedelta(seconds=HOURLY * 1.2)
    later = post.pauses()[len(SCHEDULE) :]
    assert len(later) >= 18
    assert all(HOURLY * 0.79 < pause < HOURLY * 1.21 for pause in later)


async def test_retried_email_restarts_its_schedule(queue: UnitOfWork, sink: MailSink) -> None:
    await add(queue)
    await Post(queue, sink, FOR_EVER).run()
    async with queue.begin() as tx:
        mail_id: UUID = await tx.connection.scalar(text("SELECT id FROM emails"))
        await tx[Outbox].put_back(mail_id)
    post = Post(queue, sink, GREYLISTING)
    await post.run()
    assert await rows(queue) == [("completed", 5, "")]


async def test_a_greylisted_code_arrives_before_it_expires(queue: UnitOfWork, sink: MailSink) -> None:
    await add_code(queue, minutes=10)
    post = Post(queue, sink, GREYLISTING)
    await post.run()
    assert [state for state, _, _ in await rows(queue)] == ["completed"]
    assert GREYLISTING <= post.elapsed < timedelta(minutes=9)


async def test_a_code_that_is_always_deferred_fails_when_it_expires(queue: UnitOfWork, sink: MailSink) -> None:
    await add_code(queue, minutes=10)
    post = Post(queue, sink, FOR_EVER)
    await post.run()
    [(state, attempts, error)] = await rows(queue)
    assert (state, error) == ("failed", "EXPIRED")
    assert attempts == len(post.tries) >= 5
    assert post.tries[-1] < timedelta(minutes=10) <= post.elapsed + timedelta(seconds=10)
    async with queue.read() as tx:
        assert await tx.connection.scalar(text("SELECT sealed_code FROM emails")) is None


async def test_a_deferred_email_holds_up_no_later_one_and_no_code(
    work: UnitOfWork, sink: MailSink, pharmacy_people: PharmacyPeople, written: Written
) -> None:
    patient = pharmacy_people.patient.user_id
    delivery = Delivery(compose, SmtpMailer(sink.server), max_attempts=3)
    sink.answers["rcpt"] = [GREYLISTED]
    async with work.begin() as tx:
        queue = tx[EmailQueue]
        for kind in (EmailKind.PRESCRIPTION, EmailKind.CANCELLED):
            await tx[Outbox].add(NewEmail(kind, patient, "p@example.org", written.id))
        (first,) = await queue.claim(8, 6)
        assert first.kind is EmailKind.PRESCRIPTION
        await queue.record_outcomes([(first, await attempt(delivery, first))])
        late = await tx.connection.scalar(text("SELECT now() + interval '10 min'"))
        await tx[Outbox].add(
            NewEmail(EmailKind.EMAIL_CODE, patient, "p@example.org", sealed_code=b"x", expires_at=late)
        )
        claimed = await queue.claim(8, 6)
        assert {mail.kind for mail in claimed} == {EmailKind.CANCELLED, EmailKind.EMAIL_CODE}
        assert [await attempt(delivery, mail) for mail in claimed] == [Sent(), Sent()]
    await delivery.mailer.close()
