"""Tests the requirements on every mailer, and how replies of a mail server are classified."""

import asyncio
import mailbox
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from server.mailer import transport as mailer_module
from server.mailer.message import OutgoingEmail, build_message
from server.mailer.transport import (
    MailDeferred,
    MaildirMailer,
    Mailer,
    MailRefused,
    MailSystemAway,
    RecipientRefused,
    SmtpMailer,
    SmtpServer,
)
from server.outbox.entities import EmailKind
from tests.fixtures.emails import parsed
from tests.fixtures.mail_sink import MailSink, free_port
from tests.fixtures.proofs import control
from tests.fixtures.rendered_emails import FULL, HOSTILE, MAIL, SENDER, spoken_by


@dataclass
class Place:
    """Holds a mailer and the messages that arrived where it delivers."""

    mailer: Mailer
    arrived: Callable[[], list[EmailMessage]]
    recipients: Callable[[], list[list[str]]] = list
    """The recipients named in each dialog; a maildir has none."""


def from_maildir(folder: Path) -> list[EmailMessage]:
    if not folder.exists():
        return []
    return [parsed(mail.as_bytes()) for mail in mailbox.Maildir(folder)]


@pytest.fixture(params=["smtp", "maildir"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "maildir":
        folder = tmp_path / "home" / "mail"
        yield Place(MaildirMailer(folder), lambda: from_maildir(folder))
        return
    async with MailSink().listening() as sink:
        arrived = lambda: [parsed(content) for content in sink.contents]  # noqa: E731
        yield Place(SmtpMailer(sink.server), arrived, lambda: sink.recipients)


def message(text: str = "Hello\n", to: str = "maria@example.org") -> OutgoingEmail:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "MedConnect <no-reply@hospital.example>"
    mail["To"] = to
    mail["Subject"] = "Test"
    mail.set_content(text)
    return OutgoingEmail("no-reply@hospital.example", to, mail.as_bytes())


async def test_sent_email_arrives_unchanged(place: Place) -> None:
    await place.mailer.send(message("Olá\n.\nlast line\n"))
    (mail,) = place.arrived()
    assert mail["To"] == "maria@example.org"
    assert mail["From"] == "MedConnect <no-reply@hospital.example>"
    assert mail.get_content().splitlines() == ["Olá", ".", "last line"]


@control("S57")
@pytest.mark.parametrize("kind", EmailKind)
async def test_user_text_reaches_no_header_and_ends_no_message(place: Place, kind: EmailKind) -> None:
    for words in HOSTILE:
        await place.mailer.send(build_message(MAIL, SENDER, FULL.write(kind, spoken_by(kind, words)), None))
    mails = place.arrived()
    assert len(mails) == len(HOSTILE)
    assert {tuple(mail.get_all("To", [])) for mail in mails} == {(MAIL.recipient,)}
    assert len({mail["Subject"] for mail in mails}) == 1
    assert not [name for mail in mails for name in mail if name.lower() in ("cc", "bcc")]
    assert place.recipients() in ([], [[MAIL.recipient]] * len(HOSTILE))


async def test_emails_sent_concurrently_all_arrive(place: Place) -> None:
    await asyncio.gather(*(place.mailer.send(message(f"{number}\n")) for number in range(20)))
    assert sorted(int(mail.get_content()) for mail in place.arrived()) == list(range(20))


async def test_the_maildir_is_closed_to_other_accounts(tmp_path: Path) -> None:
    await MaildirMailer(tmp_path / "mail").send(message())
    assert len(list((tmp_path / "mail" / "new").iterdir())) == 1
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) & 0o077 == 0


async def test_unwritable_maildir_counts_as_unreachable_mail_system(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file in its place")
    with pytest.raises(MailSystemAway):
        await MaildirMailer(tmp_path / "mail").send(message())


@pytest.mark.parametrize(
    ("stage", "answer", "failure"),
    [
        ("mail", "452 4.3.1 busy", MailDeferred),
        ("mail", "552 5.3.4 too large", MailRefused),
        ("rcpt", "451 4.7.1 greylisted", MailDeferred),
        ("rcpt", "550 5.1.1 no such user", RecipientRefused),
        ("data", "452 4.3.1 disk full", MailDeferred),
        ("data", "554 5.6.0 not wanted", MailRefused),
        ("rcpt", "421 4.3.2 shutting down", MailSystemAway),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
async def test_rejection_by_server_keeps_its_text(
    stage: str, answer: str, failure: type[Exception], pipelining: bool
) -> None:
    async with MailSink(answers={stage: [answer]}, pipelining=pipelining).listening() as sink:
        mailer = SmtpMailer(sink.server)
        with pytest.raises(failure, match=answer):
            await mailer.send(message())
        assert sink.contents == []
        await mailer.send(message(to="next@example.org"))
        assert sink.recipients == [["next@example.org"]]


async def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(MailSystemAway):
        await SmtpMailer(SmtpServer("127.0.0.1", free_port(), "none")).send(message())


async def test_a_server_that_hangs_is_away_after_the_time_of_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailer_module, "STAGE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailSystemAway):
        await SmtpMailer(SmtpServer("127.0.0.1", silent.getsockname()[1], "none")).send(message())


@control("S77")
async def test_server_without_starttls_is_sent_nothing() -> None:
    async with MailSink().listening() as sink:
        with pytest.raises(MailSystemAway, match="STARTTLS"):
            await SmtpMailer(replace(sink.server, security="starttls")).send(message())
        assert sink.contents == []


@control("S77")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_server_with_untrusted_certificate_is_sent_nothing(security: Any, certificate: "Certificate") -> None:
    async with MailSink(security=security, tls_context=certificate.serving).listening() as sink:
        with pytest.raises(MailSystemAway, match="CERTIFICATE_VERIFY_FAILED"):
            await SmtpMailer(sink.server).send(message())
        assert sink.contents == []
        await SmtpMailer(replace(sink.server, tls_context=certificate.trusting)).send(message())
        assert len(sink.contents) == 1


async def test_rejected_login_at_mail_server_fails_no_email(certificate: "Certificate") -> None:
    sink = MailSink(security="tls", tls_context=certificate.serving, password="right")
    async with sink.listening():
        server = replace(sink.server, tls_context=certificate.trusting, user="me", password="wrong")
        with pytest.raises(MailSystemAway, match="535"):
            await SmtpMailer(server).send(message())
        await SmtpMailer(replace(server, password="right")).send(message())
        assert len(sink.contents) == 1


def test_the_password_is_never_shown() -> None:
    assert "hush" not in repr(SmtpServer("h", 25, "tls", user="me", password="hush"))


@dataclass
class Certificate:
    serving: ssl.SSLContext
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Writes a self-signed certificate for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    (folder / "certificate.pem").write_bytes(built.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return Certificate(serving, ssl.create_default_context(cafile=str(folder / "certificate.pem")))
