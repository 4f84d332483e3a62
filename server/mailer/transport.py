"""Delivers emails: the port `Mailer`, and its two implementations (SMTP, a maildir on disk)."""

import asyncio
import mailbox
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPHeloError, SMTPResponseException

from server.mailer.message import OutgoingEmail
from server.mailer.smtp_dialog import SmtpBroken, SmtpDialog, SmtpRefused

STAGE_SECONDS: Final = 10.0
"""Timeout of each step of the SMTP dialog."""
TOTAL_SECONDS: Final = 60.0
"""Timeout of the whole dialog."""
MAX_IDLE_SECONDS: Final = 30.0
"""How long a connection is kept for the next email; routers and servers forget idle connections after minutes."""
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

    async def send(self, email: OutgoingEmail) -> None:
        """Delivers an email; returns when it was accepted.

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
        self._idle: list[SmtpDialog] = []

    async def send(self, email: OutgoingEmail) -> None:
        """Delivers an email by SMTP; see Mailer.send."""
        with _translate_failures():
            async with asyncio.timeout(TOTAL_SECONDS):
                while (kept := self._idle_dialog()) is not None:
                    try:
                        return await self._use(kept, email)
                    except SmtpBroken as broken:
                        if not broken.before_content:
                            raise
                        # The server closed a connection between two emails; this one is sent by another connection.
                return await self._use(await self._open(), email)

    async def check(self) -> None:
        """Opens a connection if none is idle; see Mailer.check."""
        with _translate_failures():
            async with asyncio.timeout(TOTAL_SECONDS):
                self._idle.append(self._idle_dialog() or await self._open())

    async def close(self) -> None:
        """Closes the idle connections; see Mailer.close."""
        while self._idle:
            self._idle.pop().quit()

    async def _use(self, dialog: SmtpDialog, email: OutgoingEmail) -> None:
        """Sends an email and keeps the connection for the next one unless it broke; a refusal does not break it."""
        try:
            await dialog.send(email)
        except SmtpRefused:
            self._idle.append(dialog)
            raise
        except BaseException:
            dialog.cut()
            raise
        self._idle.append(dialog)

    def _idle_dialog(self) -> SmtpDialog | None:
        """Returns the connection used last that is still open and was used recently; closes the others."""
        oldest = asyncio.get_running_loop().time() - MAX_IDLE_SECONDS
        while self._idle:
            dialog = self._idle.pop()
            if dialog.usable and dialog.used_at > oldest:
                return dialog
            dialog.quit()
        return None

    async def _open(self) -> SmtpDialog:
        client = self._client()
        try:
            await client.connect()
            await _greet(client)
        except SMTPResponseException as error:
            # A refused greeting or sign-in is a fault of the connection: no email is given up for a wrong password.
            client.close()
            raise MailSystemAway(f"{error.code} {error.message}"[:LONGEST_ANSWER]) from error
        except BaseException:
            client.close()
            raise
        transport = client.transport
        if not isinstance(transport, asyncio.Transport):
            raise MailSystemAway("the connection was lost after the greeting")
        pipelines, checks_size, takes_utf8 = map(client.supports_extension, ("pipelining", "size", "smtputf8"))
        return SmtpDialog(
            transport,
            pipelines=pipelines,
            checks_size=checks_size,
            takes_utf8=takes_utf8,
            stage_seconds=STAGE_SECONDS,
        )

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


async def _greet(client: SMTP) -> None:
    """Says EHLO, unless the login has done so, or HELO to a server that knows no extensions."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


class MaildirMailer:
    """Writes emails into a maildir, for installations without a mail server: any mail program can open it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one_at_a_time = asyncio.Lock()  # mailbox.Maildir names files by a counter that threads would share

    async def send(self, email: OutgoingEmail) -> None:
        """Writes an email into the maildir; see Mailer.send."""
        content = email.content.replace(b"\r\n", b"\n")
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


@contextmanager
def _translate_failures() -> Iterator[None]:
    """Translates SMTP and network errors of the block into DeliveryFailed."""
    try:
        yield
    except SmtpRefused as error:
        raise _refusal(error) from error
    except (SmtpBroken, SMTPException, OSError, TimeoutError) as error:
        raise MailSystemAway(_words(error)) from error


def _refusal(error: SmtpRefused) -> DeliveryFailed:
    if error.reply.code < PERMANENT:
        return MailDeferred(str(error)[:LONGEST_ANSWER])
    return (RecipientRefused if error.recipient else MailRefused)(str(error)[:LONGEST_ANSWER])


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:LONGEST_ANSWER]
