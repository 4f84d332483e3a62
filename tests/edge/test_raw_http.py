"""S75: ambiguous requests are refused or have one reading; CONNECT is a method like others."""

import asyncio
import re

import pytest

from tests.edge.conftest import LUA_ERRORS, Stand
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = b'{"qrCode":"a"}'
TYPE = b"content-type: application/json\r\n"
WHOLE = b"POST /api/v1/pharmacy/scan HTTP/1.1\r\nhost: x\r\n" + TYPE + b"content-length: 14\r\n\r\n" + BODY


def with_headers(lines: bytes) -> bytes:
    """Returns the request with more header lines."""
    return WHOLE.replace(b"host: x\r\n", b"host: x\r\n" + lines)


async def answers(stand: Stand, request: bytes) -> list[int]:
    """Returns the status of each answer that a connection gives to some bytes, until it is closed or silent."""
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    writer.write(request)
    told = b""
    try:
        while data := await asyncio.wait_for(reader.read(65536), 0.5):
            told += data
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    assert b"x-local-reply" not in told
    assert b"x-error-type" not in told
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", told)]


AMBIGUOUS = [
    with_headers(b"host: y\r\n"),
    with_headers(b"host: x\r\n"),
    WHOLE.replace(b"host: x", b"host: x,y"),
    WHOLE.replace(b"host: x", b"host: x, y"),
    WHOLE.replace(b"host: x\r\n", b" host: x\r\nhost: y\r\n"),
    WHOLE.replace(b"host: x", b"host : x"),
    b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    b"GET /index.html HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    with_headers(b"content-length: 15\r\n"),
    with_headers(b"transfer-encoding: chunked\r\n"),
    with_headers(b"transfer-encoding: chunked\n"),
    with_headers(b"x-a: b\n transfer-encoding: chunked\ntransfer-encoding: chunked\r\n"),
    WHOLE.replace(b"content-length: 14", b"transfer-encoding: gzip, chunked"),
    WHOLE.replace(b"content-length: 14", b"transfer-encoding: xchunked"),
    WHOLE.replace(b"content-length: 14", b"content-length: +14"),
    WHOLE.replace(b"content-length: 14", b"content-length: 14, 14"),
    WHOLE.replace(b"content-length: 14", b"content-length: 0x0e"),
    WHOLE.replace(b"content-length: 14\r\n\r\n" + BODY, b"transfer-encoding: chunked\r\n\r\ne\n" + BODY + b"\n0\n\n"),
    with_headers(b"x-a: \x00\r\n"),
    with_headers(b"x-a\r\n"),
    with_headers(b": b\r\n"),
]


@control("S75")
async def test_ambiguous_requests_get_one_answer_that_is_400(stand: Stand) -> None:
    """Sends them at once: after an answer, each connection is watched for half a second for another."""
    stand.toy.seen.request = None
    found = await asyncio.gather(*(answers(stand, request) for request in AMBIGUOUS))
    assert dict(zip(AMBIGUOUS, found, strict=True)) == {request: [400] for request in AMBIGUOUS}
    assert stand.toy.seen.request is None


@control("S75")
@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (b"x-a: b\nx-c: d\r\n", "b"),
        (b"x-a: b\r\n c\r\n", "b c"),
        (b"x-a: b\r\n\tc\r\n", "b\tc"),
        (b"x-a: b\rc\r\n", "bc"),
        (b"x-a: b\r\n transfer-encoding: chunked\r\n", "b transfer-encoding: chunked"),
    ],
)
async def test_lenient_lines_are_read_in_one_way_and_not_handed_on(stand: Stand, lines: bytes, value: str) -> None:
    """Envoy's parser accepts bare line feeds and folded lines (RFC 9112, 2.2 and 5.2) and has no option to refuse them.

    Envoy calls the server by HTTP/2, which has neither.
    """
    assert await answers(stand, with_headers(lines)) == [200]
    assert stand.toy.seen.metadata["x-a"] == value
    assert "transfer-encoding" not in stand.toy.seen.metadata


@control("S75")
@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n",
        b"CONNECT /api/v1/users HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
async def test_requests_without_a_path_do_not_break_the_filter(stand: Stand, request_: bytes) -> None:
    errors = await stand.edge.admin.counter(LUA_ERRORS)
    [status] = await answers(stand, request_)
    assert status in (200, 400, 404)
    assert await stand.edge.admin.counter(LUA_ERRORS) == errors
