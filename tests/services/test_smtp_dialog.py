"""Tests the SMTP dialog with servers that are scripted byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from server.mailer import transport
from server.mailer.message import OutgoingEmail
from server.mailer.transport import MailDeferred, MailSystemAway, RecipientRefused, SmtpMailer, SmtpServer
from tests.fixtures.proofs import control

PIPELINING = b"250-sink\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
SMTPUTF8 = PIPELINING.replace(b"250 SIZE", b"250-SMTPUTF8\r\n250 SIZE")
PLAIN = b"250 sink\r\n"
OK = b"250 OK\r\n"
START = b"354 go on\r\n"
CONTENT = b"Subject: a\r\n\r\n.b\r\n"
STUFFED = b"Subject: a\r\n\r\n..b\r\n.\r\n"
EMAIL = OutgoingEmail("a@a.example", "b@b.example", CONTENT)


class Line:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def expect(self, *lines: bytes) -> None:
        """Reads exactly these bytes; more must not have been sent yet."""
        expected = b"".join(lines)
        assert await self._reader.readexactly(len(expected)) == expected
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                assert await self._reader.read(1) == b"", "sent without waiting for the reply"

    async def greet(self, extensions: bytes) -> None:
        self.reply(b"220 sink\r\n")
        assert (await self._reader.readline()).startswith(b"EHLO")
        self.reply(extensions)

    def reply(self, *replies: bytes) -> None:
        self._writer.write(b"".join(replies))

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def scripted(*scripts: Callable[[Line], Awaitable[None]]) -> AsyncIterator[SmtpMailer]:
    """Yields a mailer whose connections meet these scripts in turn; checks that each ran to its end."""
    waiting, ran = list(scripts), asyncio.Queue[BaseException | None]()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await waiting.pop(0)(Line(reader, writer))
            ran.put_nowait(None)
            await reader.read()
        except BaseException as failure:
            ran.put_nowait(failure)
            raise
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    mailer = SmtpMailer(SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], "none"))
    try:
        yield mailer
        for _ in scripts:
            async with asyncio.timeout(5):
                failure = await ran.get()
            assert failure is None, repr(failure)
    finally:
        await mailer.close()
        server.close()


def envelope(to: bytes = b"b@b.example", size: bytes = b" SIZE=18") -> tuple[bytes, ...]:
    return b"MAIL FROM:<a@a.example>" + size + b"\r\n", b"RCPT TO:<" + to + b">\r\n", b"DATA\r\n"


async def test_pipelined_email_takes_two_round_trips() -> None:
    async def script(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        line.reply(OK, OK, START)
        await line.expect(STUFFED)
        line.reply(OK)

    async with scripted(script) as mailer:
        await mailer.send(EMAIL)


async def test_server_without_pipelining_gets_one_command_at_a_time() -> None:
    async def script(line: Line) -> None:
        await line.greet(PLAIN)
        for command, reply in zip(envelope(size=b""), (OK, OK, START), strict=True):
            await line.expect(command)
            line.reply(reply)
        await line.expect(STUFFED)
        line.reply(OK)

    async with scripted(script) as mailer:
        await mailer.send(EMAIL)


async def test_content_is_kept_from_server_that_refused_the_recipient() -> None:
    async def script(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        line.reply(OK, b"550-5.1.1 no\r\n550 such user\r\n", START)
        await line.expect(b".\r\n")
        line.reply(b"554 no recipients\r\n")
        await line.expect(b"RSET\r\n")
        line.reply(OK)
        await line.expect(*envelope())
        line.reply(OK, OK, START)
        await line.expect(STUFFED)
        line.reply(OK)

    async with scripted(script) as mailer:
        with pytest.raises(RecipientRefused, match=r"550 5\.1\.1 no\nsuch user"):
            await mailer.send(EMAIL)
        await mailer.send(EMAIL)


async def test_replies_in_pieces_are_put_together() -> None:
    async def script(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        for piece in (b"25", b"0-O", b"K\r\n250 ", b"OK\r", b"\n250 OK\r\n354", b"\r\n"):
            line.reply(piece)
            await asyncio.sleep(0.01)
        await line.expect(STUFFED)
        line.reply(b"451 4.3.0 later\r\n")

    async with scripted(script) as mailer:
        with pytest.raises(MailDeferred, match=r"451 4\.3\.0 later"):
            await mailer.send(EMAIL)


@pytest.mark.parametrize("farewell", [b"", b"421 too many emails\r\n"])
@pytest.mark.parametrize("asked", [True, False], ids=["at the next command", "between two emails"])
async def test_email_after_server_closed_takes_another_connection(farewell: bytes, asked: bool) -> None:
    async def first(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        line.reply(OK, OK, START)
        await line.expect(STUFFED)
        line.reply(OK)
        if asked:
            await line.expect(*envelope())
        line.reply(farewell)
        line.close()

    async def second(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        line.reply(OK, OK, START)
        await line.expect(STUFFED)
        line.reply(OK)

    async with scripted(first, second) as mailer:
        await mailer.send(EMAIL)
        if not asked:
            await asyncio.sleep(0.2)
        await mailer.send(EMAIL)


async def test_email_whose_content_was_sent_is_not_repeated() -> None:
    async def first(line: Line) -> None:
        await line.greet(PIPELINING)
        for _ in range(2):
            await line.expect(*envelope())
            line.reply(OK, OK, START)
            await line.expect(STUFFED)
            line.reply(OK if _ == 0 else b"")
        line.close()

    async with scripted(first) as mailer:
        await mailer.send(EMAIL)
        with pytest.raises(MailSystemAway, match="connection was lost"):
            await mailer.send(EMAIL)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [(b"hello\r\n", "malformed"), (b"250-" + b"x" * 40_000, "more than a reply"), (OK * 20, "more than a reply")],
    ids=["no code", "endless line", "too many replies"],
)
async def test_faulty_server_is_cut_off(reply: bytes, fault: str) -> None:
    async def script(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        line.reply(reply)

    async with scripted(script) as mailer:
        with pytest.raises(MailSystemAway, match=fault):
            await mailer.send(EMAIL)


async def test_connection_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_IDLE_SECONDS", 0.05)

    async def script(line: Line) -> None:
        await line.greet(PIPELINING)
        await line.expect(*envelope())
        line.reply(OK, OK, START)
        await line.expect(STUFFED)
        line.reply(OK)

    async with scripted(script, script) as mailer:
        for _ in range(2):
            await mailer.send(EMAIL)
            await asyncio.sleep(0.1)


@control("S57")
@pytest.mark.parametrize("address", ["b@b.example>\r\nDATA", "b\x00@b.example", "b\x85@b.example"])
async def test_address_that_no_command_can_hold_is_not_sent(address: str) -> None:
    async def script(line: Line) -> None:
        await line.greet(SMTPUTF8)

    async with scripted(script) as mailer:
        with pytest.raises(ValueError, match="no SMTP command can hold"):
            await mailer.send(OutgoingEmail("a@a.example", address, CONTENT))


async def test_letters_of_other_scripts_need_smtputf8() -> None:
    async def script(line: Line) -> None:
        await line.greet(SMTPUTF8)
        await line.expect(
            b"MAIL FROM:<a@a.example> SIZE=18 SMTPUTF8\r\n", "RCPT TO:<bé@b.example>\r\n".encode(), b"DATA\r\n"
        )
        line.reply(OK, OK, START)
        await line.expect(STUFFED)
        line.reply(OK)

    async def without(line: Line) -> None:
        await line.greet(PIPELINING)

    async with scripted(script) as mailer:
        await mailer.send(OutgoingEmail("a@a.example", "bé@b.example", CONTENT))
    async with scripted(without) as mailer:
        with pytest.raises(RecipientRefused, match="SMTPUTF8"):
            await mailer.send(OutgoingEmail("a@a.example", "bé@b.example", CONTENT))
