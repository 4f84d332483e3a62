"""Tests emails with a one-time code: their text, the removal of the code, and codes that expire unsent."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text

from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.db.unit_of_work import UnitOfWork
from server.mailer.composer import EmailComposer
from server.mailer.delivery import Delivery
from server.mailer.entities import ClaimedEmail, EmailDetail, QueueStatus
from server.mailer.rendering import EmailRenderer
from server.mailer.storage.queue import EmailQueue
from server.mailer.transport import SmtpMailer
from server.mailer.worker import EmailWorker
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from tests.fixtures.auth import SEAL
from tests.fixtures.database import committing_work
from tests.fixtures.emails import add_account, compose_one, rows
from tests.fixtures.mail_sink import MailSink
from tests.fixtures.pharmacy import QR_KEYS
from tests.fixtures.proofs import control

CODE = "042871"
SECONDS = 10


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(database_url) as unit_of_work:
        yield unit_of_work


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    async with MailSink().listening() as listening:
        yield listening


@pytest.fixture
def composer(queue: UnitOfWork) -> Iterator[EmailComposer]:
    letters = EmailRenderer(zone=ZoneInfo("UTC"), frontend_url="https://med.example")
    with ThreadPoolExecutor(1) as executor:
        codes, pictures = QrIssuer(QR_KEYS, timedelta(days=7)), QrPictures(executor)
        sender = "MedConnect <no-reply@hospital.example>"
        yield EmailComposer(
            queue,
            letters,
            codes,
            pictures,
            executor,
            sender,
            SEAL,
            detail=EmailDetail.FULL,
            writes_unconfirmed=True,
        )


async def add_code_mail(queue: UnitOfWork, *, good_for: str = "10 min", sealed_for: UUID | None = None) -> UUID:
    async with queue.begin() as tx:
        user_id = await add_account(tx.connection)
        late = await tx.connection.scalar(text("SELECT now() + CAST(:age AS text)::interval"), {"age": good_for})
        sealed = SEAL.close(CODE, sealed_for or user_id)
        kind = EmailKind.PASSWORD_RESET
        await tx[Outbox].add(NewEmail(kind, user_id, "p@example.org", sealed_code=sealed, expires_at=late))
    return user_id


async def claimed(queue: UnitOfWork) -> ClaimedEmail:
    async with queue.begin() as tx:
        (mail,) = await tx[EmailQueue].claim(1, 1)
        return mail


def a_worker(queue: UnitOfWork, composer: EmailComposer, sink: MailSink) -> EmailWorker:
    return EmailWorker(queue, Delivery(composer.compose, SmtpMailer(sink.server), max_attempts=3), lambda: None)


async def sent_by_a_worker(queue: UnitOfWork, composer: EmailComposer, sink: MailSink) -> tuple[str, int, str]:
    """Returns the state of the only email after one run of a worker."""
    async with a_worker(queue, composer, sink).running(), asyncio.timeout(SECONDS):
        while (await rows(queue))[0][0] not in ("completed", "failed"):
            await asyncio.sleep(0.02)
    return (await rows(queue))[0]


async def status(queue: UnitOfWork) -> QueueStatus:
    async with queue.read() as tx:
        return await tx[EmailQueue].status()


async def sealed(queue: UnitOfWork) -> bytes | None:
    async with queue.read() as tx:
        found: bytes | None = await tx.connection.scalar(text("SELECT sealed_code FROM emails"))
        return found


def bodies(mail: EmailMessage) -> list[str]:
    return [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]


async def test_code_is_in_text_and_html_with_expiry_and_warning(queue: UnitOfWork, composer: EmailComposer) -> None:
    await add_code_mail(queue)
    mail = await compose_one(composer, await claimed(queue))
    assert mail["Subject"] == "Your code for a new MedConnect password"
    assert len(bodies(mail)) == 2
    for body in bodies(mail):
        assert CODE in body
        assert "Valid until" in body
        assert "Never share" in body


async def test_code_sealed_for_another_account_is_not_sent(queue: UnitOfWork, composer: EmailComposer) -> None:
    await add_code_mail(queue, sealed_for=UUID(int=7))
    with pytest.raises(InvalidTag):
        await compose_one(composer, await claimed(queue))


async def test_sent_code_is_erased(queue: UnitOfWork, composer: EmailComposer, sink: MailSink) -> None:
    await add_code_mail(queue)
    assert await sent_by_a_worker(queue, composer, sink) == ("completed", 1, "")
    assert CODE.encode() in sink.contents[0]
    assert await sealed(queue) is None


async def test_rejected_code_is_erased(queue: UnitOfWork, composer: EmailComposer, sink: MailSink) -> None:
    sink.answers["rcpt"] = ["550 no such mailbox"]
    await add_code_mail(queue)
    assert (await sent_by_a_worker(queue, composer, sink))[0] == "failed"
    assert await sealed(queue) is None


@control("S60")
async def test_expired_code_is_not_sent_and_queue_stays_healthy(
    queue: UnitOfWork, composer: EmailComposer, sink: MailSink
) -> None:
    await add_code_mail(queue, good_for="-1 s")
    async with a_worker(queue, composer, sink).running(), asyncio.timeout(SECONDS):
        while not ((found := await status(queue)).failed == 1 and found.is_healthy):
            await asyncio.sleep(0.02)
    assert await rows(queue) == [("failed", 0, "EXPIRED")]
    assert sink.contents == []
    assert await sealed(queue) is None


async def test_email_to_recipient_deactivated_meanwhile_fails_unsent(
    queue: UnitOfWork, composer: EmailComposer, sink: MailSink
) -> None:
    user_id = await add_code_mail(queue)
    async with queue.begin() as tx:
        await tx.connection.execute(text("UPDATE users SET status = 'deactivated' WHERE id = :id"), {"id": user_id})
    assert await sent_by_a_worker(queue, composer, sink) == ("failed", 0, "RECIPIENT_DEACTIVATED")
    assert sink.contents == []
    assert await sealed(queue) is None
    async with queue.read() as tx:
        assert await tx.connection.scalar(text("SELECT harmless FROM emails"))


async def test_password_change_notifies_the_owner(queue: UnitOfWork, composer: EmailComposer) -> None:
    async with queue.begin() as tx:
        user_id = await add_account(tx.connection)
        await tx[Outbox].add(NewEmail(EmailKind.PASSWORD_CHANGED, user_id, "p@example.org"))
    mail = await compose_one(composer, await claimed(queue))
    assert mail["Subject"] == "Your MedConnect password was changed"
    assert all("all others were signed out" in body for body in bodies(mail))
