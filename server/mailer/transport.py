"""How a mail leaves: the port, and its two implementations (SMTP, a maildir on disk)."""

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
"""Time for each step of the SMTP dialog."""
TOTAL_SECONDS: Final = 60.0
"""Time for the whole dialog."""
CLOSING: Final = 421
"""RFC 5321 section 3.8: the server closes the connection, whatever was asked of it."""
PERMANENT: Final = 500
LONGEST_ANSWER: Final = 500


class DeliveryFailed(Exception):
    """A mail was not delivered; the text says why, in the mail system's words."""


class MailSystemAway(DeliveryFailed):
    """No dialog was possible, or it broke off: it lies with no mail, and any mail may be tried again."""


class MailDeferred(DeliveryFailed):
    """This mail was refused for the moment."""


class MailRefused(DeliveryFailed):
    """This mail was refused for good."""


class RecipientRefused(MailRefused):
    """There is no such mailbox, or not for us."""


class Mailer(Protocol):
    """Delivers mails."""

    async def send(self, message: EmailMessage) -> None:
        """Hand a mail with one From and one To over; back only when it was accepted.

        Raises MailSystemAway, MailDeferred or MailRefused.
        """
        ...

    async def check(self) -> None:
        """See whether mails could be sent now. Raises MailSystemAway."""
        ...

    async def close(self) -> None:
        """Let go of what is kept between mails; may be used again afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The outgoing mail server, and how to talk to it."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    """With starttls or tls nothing is ever sent in the clear."""
    user: str = ""
    password: str = field(default="", repr=False)
    tls_context: ssl.SSLContext | None = None
    """How its certificate is checked; None: against the system's authorities and its name."""


class SmtpMailer:
    """Sends through a mail server; connections are kept and used again, as many as mails were sent at once."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._idle: list[SMTP] = []

    async def send(self, message: EmailMessage) -> None:
        """See Mailer."""
        with _translate_failures():
            async with asyncio.timeout(TOTAL_SECONDS), self._connection() as client:
                await client.sendmail(_address(message, "From"), [_address(message, "To")], message.as_bytes())

    async def check(self) -> None:
        """See Mailer."""
        with _translate_failures():
            async with asyncio.timeout(TOTAL_SECONDS), self._connection():
                pass

    async def close(self) -> None:
        """See Mailer."""
        while self._idle:
            with suppress(SMTPException, OSError, TimeoutError):
                await self._idle.pop().quit()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        """A connection that works, kept for the next mail unless it breaks; a refused mail does not break it."""
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
        """One that was kept and that the server has not closed meanwhile."""
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
            # Refused greetings and sign-ins are faults of the connection: no mail is given up for a wrong password.
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
    """Writes mails into a maildir, for those who have no mail server: any mail program opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one_at_a_time = asyncio.Lock()  # mailbox.Maildir names files by a counter that threads would share

    async def send(self, message: EmailMessage) -> None:
        """See Mailer."""
        content = message.as_bytes(policy=message.policy.clone(linesep="\n"))
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(self._write, content)
            except OSError as error:
                raise MailSystemAway(_words(error)) from error

    async def check(self) -> None:
        """See Mailer."""

    async def close(self) -> None:
        """See Mailer."""

    def _write(self, content: bytes) -> None:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        mailbox.Maildir(self._folder).add(content)


def _address(message: EmailMessage, header: Literal["From", "To"]) -> str:
    (address,) = message[header].addresses
    spec: str = address.addr_spec
    return spec


@contextmanager
def _translate_failures() -> Iterator[None]:
    """What goes wrong inside, as a DeliveryFailed."""
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
