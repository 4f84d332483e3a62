"""Proxies that speak HTTP/1.0 to their upstream, as nginx does by default, are served."""

import asyncio
import re

import pytest

from tests.edge.conftest import Stand
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = b'{"qrCode":"a"}'
TYPE = b"content-type: application/json\r\n"
SCAN = b"POST /api/v1/pharmacy/scan HTTP/1.0\r\n" + TYPE + b"content-length: 14\r\n"


async def exchange(stand: Stand, request: bytes) -> bytes:
    """Returns everything that a connection answers to some bytes, until the server closes it."""
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


@pytest.mark.parametrize("host", [b"", b"host: clinic.example\r\nconnection: close\r\n"], ids=["no host", "host"])
async def test_call_over_http_1_0_is_answered_and_closed(stand: Stand, host: bytes) -> None:
    head, _, body = (await exchange(stand, SCAN + host + b"\r\n" + BODY)).partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 200 ", head)
    assert b"transfer-encoding" not in head
    assert body.startswith(b'{"success":true,')
    assert body.endswith(b"}")


@pytest.mark.parametrize("path", [b"/", b"/health", b"/api/v1/nothing"])
async def test_pages_health_and_refusals_work_over_http_1_0(stand: Stand, path: bytes) -> None:
    head, _, body = (await exchange(stand, b"GET " + path + b" HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] (200|404) ", head)
    assert b"transfer-encoding" not in head
    assert body


async def test_stream_over_http_1_0_is_sent_without_chunks(stand: Stand) -> None:
    path = b"GET /api/v1/events/email-queue/status/stream HTTP/1.0\r\nauthorization: Bearer x\r\n\r\n"
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    writer.write(path)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    first = await asyncio.wait_for(reader.readuntil(b"\n\n"), 5)
    writer.close()
    assert b"transfer-encoding" not in head
    assert first.startswith(b"data:")


@control("S75")
@pytest.mark.parametrize(
    "request_",
    [
        SCAN + b"transfer-encoding: chunked\r\n\r\n" + BODY,
        SCAN + b"content-length: 15\r\n\r\n" + BODY,
        SCAN + b"host: x\r\nhost: y\r\n\r\n" + BODY,
        b"GET /health HTTP/1.1\r\n\r\n",
    ],
    ids=["two lengths", "another length", "two hosts", "1.1 without a host"],
)
async def test_ambiguous_requests_of_old_versions_are_refused(stand: Stand, request_: bytes) -> None:
    stand.toy.seen.request = None
    answer = await exchange(stand, request_)
    assert not answer or re.match(rb"HTTP/1\.[01] 4\d\d ", answer), answer
    assert stand.toy.seen.request is None


@control("S75")
async def test_chunks_over_http_1_0_end_the_connection(stand: Stand) -> None:
    """RFC 9112, section 6.1: a proxy may have framed the request otherwise, so nothing after it is another request."""
    stand.toy.seen.request = None
    chunked = SCAN.replace(b"content-length: 14", b"connection: keep-alive\r\ntransfer-encoding: chunked")
    request = chunked + b"\r\ne\r\n" + BODY + b"\r\n0\r\n\r\n"
    answer = await exchange(stand, request + b"GET /health HTTP/1.0\r\n\r\n")
    assert re.findall(rb"HTTP/1\.[01] (\d\d\d) ", answer) == [b"400"]
    assert stand.toy.seen.request is None
