"""An open SMTP connection that sends emails, with command pipelining (RFC 2920) where the server offers it.

aiosmtplib opens and secures the connection, then this protocol takes it over: aiosmtplib waits for the reply to each
command, which takes four round trips per email instead of two, and twice the CPU time.
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from server.mailer.message import OutgoingEmail

OK: Final = 250
START_CONTENT: Final = 354
CLOSING: Final = 421
"""RFC 5321 section 3.8: the server closes the connection; any command can get this reply."""
FAILED: Final = 400
"""The codes from here on refuse a command."""
ENVELOPE_ACCEPTED: Final = (250, 251)
MAX_REPLY_CHARACTERS: Final = 32_768
"""The limit on one reply, so that a faulty server cannot fill the memory."""
MAX_UNREAD_REPLIES: Final = 10
_REPLY_LINE: Final = re.compile(rb"[2-5]\d\d(?:[- ]|\r?$)")
_COMMAND: Final = re.compile(r"[\x20-\x7e\u00a1-\U0010ffff]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the server."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


_NO_SMTPUTF8: Final = Reply(553, "the mail server does not take addresses with letters other than ASCII (no SMTPUTF8)")


class SmtpRefused(Exception):
    """The server refused an email; the connection can be used for others."""

    def __init__(self, reply: Reply, *, recipient: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.recipient = recipient
        """True if the server refused the recipient."""


class SmtpBroken(Exception):
    """The connection broke or the server is closing it.

    before_content: True if the server cannot have accepted the email, because its content was not sent.
    """

    def __init__(self, words: str, *, before_content: bool) -> None:
        super().__init__(words)
        self.before_content = before_content


class SmtpDialog(asyncio.Protocol):
    """One connection after EHLO and login; it sends one email at a time.

    transport: the connection, which this protocol takes over. pipelines, checks_size, takes_utf8: the server offers
    PIPELINING, SIZE and SMTPUTF8. stage_seconds: the timeout of each reply.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        pipelines: bool,
        checks_size: bool,
        takes_utf8: bool,
        stage_seconds: float,
    ) -> None:
        self._transport = transport
        self._pipelines = pipelines
        self._checks_size = checks_size
        self._takes_utf8 = takes_utf8
        self._stage_seconds = stage_seconds
        self._received = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._arrived = asyncio.Event()
        self._lost = False
        self._resets = False
        self._fault = ""
        self.used_at = asyncio.get_running_loop().time()
        """The end of the last email, by the loop's clock."""
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """True while another email can be sent; a server that closes says so or just closes."""
        return not self._lost and not self._replies and not self._transport.is_closing()

    def quit(self) -> None:
        """Takes leave of the server and closes the connection without waiting for the reply."""
        if not self._transport.is_closing():
            self._transport.write(b"QUIT\r\n")
            self._transport.close()

    def cut(self) -> None:
        """Closes the connection at once."""
        self._transport.abort()

    async def send(self, email: OutgoingEmail) -> None:
        """Sends an email; returns when the server has accepted it.

        Raises SmtpRefused, SmtpBroken, TimeoutError, and ValueError for addresses that no SMTP command can hold. Unless
        it returns or raises SmtpRefused, the connection must be cut.
        """
        await self._begin(email)
        self._transport.write(_content(email.content))
        accepted = await self._reply(before_content=False)
        self.used_at = asyncio.get_running_loop().time()
        if accepted.code != OK:
            raise SmtpRefused(accepted)

    async def _begin(self, email: OutgoingEmail) -> None:
        """Sends the envelope and DATA; returns when the server waits for the content."""
        if email.needs_utf8 and not self._takes_utf8:
            raise SmtpRefused(_NO_SMTPUTF8, recipient=True)
        options = f" SIZE={len(email.content)}" if self._checks_size else ""
        options += " SMTPUTF8" if email.needs_utf8 else ""
        envelope = (_command(f"MAIL FROM:<{email.sender}>{options}"), _command(f"RCPT TO:<{email.recipient}>"))
        if self._resets:
            await self._exchange(b"RSET\r\n")
        self._resets = True
        sender, recipient, content = await self._exchange(*envelope, b"DATA\r\n")
        refused = next((reply for reply in (sender, recipient) if reply.code not in ENVELOPE_ACCEPTED), None)
        if refused is not None and content.code == START_CONTENT:
            await self._exchange(b".\r\n")  # RFC 2920 section 3.1: ends a content that has no recipient
        if refused is not None or content.code != START_CONTENT:
            raise SmtpRefused(refused or content, recipient=refused is not None and refused is recipient)
        self._resets = False

    async def _exchange(self, *commands: bytes) -> list[Reply]:
        """Returns the replies to the commands; without pipelining, those after a refusal repeat it."""
        if self._pipelines:
            self._transport.write(b"".join(commands))
            return [await self._reply(before_content=True) for _ in commands]
        replies: list[Reply] = []
        for command in commands:
            if not replies or replies[-1].code < FAILED:
                self._transport.write(command)
                replies.append(await self._reply(before_content=True))
            else:
                replies.append(replies[-1])
        return replies

    async def _reply(self, *, before_content: bool) -> Reply:
        if not self._replies and not self._lost:
            async with asyncio.timeout(self._stage_seconds):
                while not self._replies and not self._lost:
                    self._arrived.clear()
                    await self._arrived.wait()
        if not self._replies:
            raise SmtpBroken(self._fault or "the connection was lost", before_content=before_content)
        reply = self._replies.popleft()
        if reply.code == CLOSING:
            raise SmtpBroken(str(reply), before_content=before_content)
        return reply

    def data_received(self, data: bytes) -> None:
        """Collects complete replies; a server that sends something else is cut off."""
        *lines, rest = (self._received + data).split(b"\n")
        self._received = rest
        for line in lines:
            if not _REPLY_LINE.match(line):
                self._reject("the server sent a malformed reply")
                return
            self._lines.append(line[4:].decode("utf-8", "backslashreplace").strip())
            if line[3:4] != b"-":
                self._replies.append(Reply(int(line[:3]), "\n".join(self._lines)))
                self._lines.clear()
        if len(rest) + sum(map(len, self._lines)) > MAX_REPLY_CHARACTERS or len(self._replies) > MAX_UNREAD_REPLIES:
            self._reject("the server sent more than a reply")
        self._arrived.set()

    def _reject(self, fault: str) -> None:
        self._fault = fault
        self._replies.clear()
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wakes the sender."""
        self._lost = True
        self._arrived.set()


def _command(line: str) -> bytes:
    if not _COMMAND.fullmatch(line):
        raise ValueError("an address has characters that no SMTP command can hold")
    return f"{line}\r\n".encode()


def _content(content: bytes) -> bytes:
    """Returns the content with a dot before each line that begins with one (RFC 5321 section 4.5.2), and its end."""
    dotted = content.replace(b"\r\n.", b"\r\n..")
    return b"%b.\r\n" % dotted
