"""Delivers emails: the port `Mailer`, and its two implementations (SMTP, a maildir on disk)."""

import asyncio
import mailbox
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Literal, Protocol

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPRecipientsRefused, SMTPResponseException

STAGE_SECONDS: Final = 10.0
"""Timeout of each step of the SMTP dialog."""
TOTAL_SECONDS: Final = 60.0
"""Timeout of the whole dialog."""
CLOSING: Final = 421
"""RFC 5321 section 3.8: the server closes the connection; any command can get this reply."""
PERMANENT: Final = 500
LONGEST_ANSWER: Final = 500


class DeliveryFailed(Exception):
    """An email was not delivered; the text is the reply of the mail system."""


class MailSystemAway(DeliveryFailed):
    """The connection failed or broke off: no email is the cause, and each may be sent again."""


class MailDeferred(DeliveryFailed):
    """This email was refused temporarily."""


class MailRefused(DeliveryFailed):
    """This email was refused permanently."""


class RecipientRefused(MailRefused):
    """The mail server does not accept this recipient."""


class Mailer(Protocol):
    """Delivers emails to a mail system."""

    async def send(self, message: EmailMessage) -> None:
        """Delivers an email with one From and one To; returns when it was accepted.

        Raises MailSystemAway, MailDeferred or MailRefused.
        """
        ...

    async def check(self) -> None:
        """Checks that emails can be sent now. Raises MailSystemAway."""
        ...

    async def close(self) -> None:
        """Closes idle connections; the mailer can be used again afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The address, security and credentials of the outgoing mail server."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    """With starttls or tls no email and no password is sent unencrypted."""
    user: str = ""
    password: str = field(default="", repr=False)
    tls_context: ssl.SSLContext | None = None
    """Verifies the server's certificate; None: by the system's certificate authorities and the host name."""


class SmtpMailer:
    """Sends through a mail server; keeps and reuses as many connections as emails were sent concurrently."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._idle: list[SMTP] = []

    async def send(self, message: EmailMessage) -> None:
        """Delivers an email by SMTP; see Mailer.send."""
        with _translate_failures():
            async with asyncio.timeout(TOTAL_SECONDS), self._connection() as client:
                await client.sendmail(_address(message, "From"), [_address(message, "To")], message.as_bytes())

    async def check(self) -> None:
        """Opens or reuses a connection; see Mailer.check."""
        with _translate_failures():
            async with asyncio.timeout(TOTAL_SECONDS), self._connection():
                pass

    async def close(self) -> None:
        """Closes the idle connections; see Mailer.close."""
        while self._idle:
            with suppress(SMTPException, OSError, TimeoutError):
                await self._idle.pop().quit()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        """Yields a working connection and keeps it for the next email unless it breaks; a refusal does not break it."""
        client = await self._reuse_connection() or await self._open_connection()
        try:
            yield client
        except (SMTPResponseException, SMTPRecipientsRefused) as error:
            if _code(error) == CLOSING:
                client.close()
            raise
        except BaseException:
            client.close()
            raise
        finally:
            if client.is_connected:
                self._idle.append(client)

    async def _reuse_connection(self) -> SMTP | None:
        """Returns an idle connection that the server has not closed meanwhile."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.rset()
            except (SMTPException, OSError, TimeoutError):
                client.close()
            else:
                return client
        return None

    async def _open_connection(self) -> SMTP:
        client = self._client()
        try:
            await client.connect()
        except SMTPResponseException as error:
            # A refused greeting or sign-in is a fault of the connection: no email is given up for a wrong password.
            raise MailSystemAway(_answer(error)) from error
        return client

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            local_hostname=socket.gethostname(),
            timeout=STAGE_SECONDS,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=server.tls_context,
        )


class MaildirMailer:
    """Writes emails into a maildir, for installations without a mail server: any mail program can open it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one_at_a_time = asyncio.Lock()  # mailbox.Maildir names files by a counter that threads would share

    async def send(self, message: EmailMessage) -> None:
        """Writes an email into the maildir; see Mailer.send."""
        content = message.as_bytes(policy=message.policy.clone(linesep="\n"))
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(self._write, content)
            except OSError as error:
                raise MailSystemAway(_words(error)) from error

    async def check(self) -> None:
        """Does nothing: a folder needs no connection."""

    async def close(self) -> None:
        """Does nothing: no connection is kept."""

    def _write(self, content: bytes) -> None:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        mailbox.Maildir(self._folder).add(content)


def _address(message: EmailMessage, header: Literal["From", "To"]) -> str:
    (address,) = message[header].addresses
    spec: str = address.addr_spec
    return spec


@contextmanager
def _translate_failures() -> Iterator[None]:
    """Translates SMTP and network errors of the block into DeliveryFailed."""
    try:
        yield
    except (SMTPResponseException, SMTPRecipientsRefused) as error:
        raise _refusal(error) from error
    except (SMTPException, OSError, TimeoutError) as error:
        raise MailSystemAway(_words(error)) from error


def _refusal(error: SMTPResponseException | SMTPRecipientsRefused) -> DeliveryFailed:
    answer = error.recipients[0] if isinstance(error, SMTPRecipientsRefused) else error
    if answer.code == CLOSING:
        return MailSystemAway(_answer(answer))
    if answer.code < PERMANENT:
        return MailDeferred(_answer(answer))
    return (RecipientRefused if answer is not error else MailRefused)(_answer(answer))


def _code(error: SMTPResponseException | SMTPRecipientsRefused) -> int:
    code: int = error.recipients[0].code if isinstance(error, SMTPRecipientsRefused) else error.code
    return code


def _answer(error: SMTPResponseException) -> str:
    return f"{error.code} {error.message}"[:LONGEST_ANSWER]


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:LONGEST_ANSWER]
