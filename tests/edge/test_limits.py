"""Size limits of requests at the edge: one answer for each limit, at once, over REST and gRPC."""

import asyncio
import http.client
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset
from medconnect.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from tests.edge.conftest import LUA_ERRORS, Stand
from tests.edge.test_refusals import assert_refused, raw
from tests.fixtures.cells import cells
from tests.fixtures.pace import within
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_SECONDS = 0.5
"""It takes milliseconds on an idle machine; a retry, or a pattern that backtracks, takes longer than this."""
MIB = 1 << 20


@pytest_asyncio.fixture(loop_scope="session")
async def native(stand: Stand) -> "AsyncIterator[auth_service_pb2_grpc.AuthServiceAsyncStub]":
    """Calls the toy by gRPC through the edge."""
    async with grpc.aio.insecure_channel("{}:{}".format(*stand.edge.address)) as channel:
        yield auth_service_pb2_grpc.AuthServiceStub(channel)


@control("S82")
@cells("piece", ["a", "a=", "a=&", "&", "=", "%41", "%", "/"])
@cells("kib", [5, 16, 32, 48])
async def test_long_paths_are_refused_before_they_are_read(stand: Stand, piece: str, kib: int) -> None:
    path = "/api/v1/users?" + piece * (kib * 1024 // len(piece))
    started = time.monotonic()
    response = await raw(stand, "GET", path)
    assert time.monotonic() - started < within(MOST_SECONDS)
    assert_refused(response, 414, "PATH_TOO_LONG")


@control("S82")
@pytest.mark.parametrize("piece", ["a", "a=", "&", "=", "%41"])
async def test_the_longest_path_is_read_in_milliseconds(stand: Stand, piece: str) -> None:
    path = "/api/v1/users?" + piece * (4080 // len(piece))
    started = time.monotonic()
    response = await raw(stand, "GET", path)
    assert time.monotonic() - started < within(MOST_SECONDS)
    assert response.status_code in (200, 400)


@control("S68")
@pytest.mark.parametrize("size", [9_000, 10_000, 12_000, 15_000, 17_000, 30_000, 50_000])
@pytest.mark.parametrize("count", [1, 100])
async def test_large_headers_have_one_answer_at_once(
    stand: Stand, native: "auth_service_pb2_grpc.AuthServiceAsyncStub", size: int, count: int
) -> None:
    headers = {f"x-a{number}": "y" * (size // count) for number in range(count)}
    for _ in range(5):
        started = time.monotonic()
        response = await stand.rest.get("/api/v1/auth/profile", headers=headers)
        assert_refused(response, 431, "HEADERS_TOO_LARGE")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await native.GetCurrentUser(auth_service_pb2.GetCurrentUserRequest(), metadata=tuple(headers.items()))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.value.details() == "The headers are too large."
        assert time.monotonic() - started < within(MOST_SECONDS)


@control("S68")
async def test_headers_below_the_limit_reach_the_server(
    stand: Stand, native: "auth_service_pb2_grpc.AuthServiceAsyncStub"
) -> None:
    path = "/api/v1/users?search=" + "x" * 4_000
    headers = {f"x-a{number}": "y" for number in range(90)}
    assert (await stand.rest.get(path, headers=headers)).is_success
    assert stand.toy.seen.metadata["x-a89"] == "y"
    metadata = (("x-a", "y" * 7_000),)
    await native.GetCurrentUser(auth_service_pb2.GetCurrentUserRequest(), metadata=metadata)


def in_one_piece(body: bytes) -> bytes:
    return body


def in_pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + 65536] for at in range(0, len(body), 65536))


def over_http1(stand: Stand, method: str, path: str, body: Any) -> tuple[int, str]:
    """Writes the whole body before reading; returns the status and the error's type."""
    connection = http.client.HTTPConnection(*stand.edge.address, timeout=10)
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    error = json.loads(answer.read())["error"]
    connection.close()
    return answer.status, error["type"]


@pytest.mark.parametrize("cut", [in_one_piece, in_pieces])
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/pharmacy/scan"), ("GET", "/api/v1/users")])
@pytest.mark.parametrize("size", [300_000, 5 * MIB, 7 * MIB])
async def test_client_still_writing_reads_that_body_is_too_large(
    stand: Stand, cut: Callable[[bytes], Any], method: str, path: str, size: int
) -> None:
    answer = await asyncio.to_thread(over_http1, stand, method, path, cut(b"x" * size))
    assert answer == (413, "BODY_TOO_LARGE")


async def over_http2(stand: Stand, size: int, *, declared: bool) -> tuple[str, bytes, bool]:
    """Posts a string of that size; returns the status, the body and whether the stream was reset."""
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    connection, status, content, ended = H2Connection(), "", b"", False
    connection.initiate_connection()
    body = b'{"qrCode":"' + b"x" * (size - 13) + b'"}'
    length = [("content-length", str(size))] if declared else []
    path = [(":method", "POST"), (":path", "/api/v1/pharmacy/scan"), (":scheme", "http"), (":authority", "x")]
    connection.send_headers(1, [*path, ("content-type", "application/json"), *length])
    reset = False
    while not ended:
        while body and (room := min(connection.local_flow_control_window(1), connection.max_outbound_frame_size)) > 0:
            connection.send_data(1, body[:room], end_stream=len(body) <= room)
            body = body[room:]
        writer.write(connection.data_to_send())
        for event in connection.receive_data(await asyncio.wait_for(reader.read(65536), 10)):
            match event:
                case ResponseReceived():
                    status = dict(event.headers)[b":status"].decode()
                case DataReceived():
                    content += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                case StreamReset():
                    reset = ended = True
                case StreamEnded():
                    ended = True
    writer.close()
    return status, content, reset


@pytest.mark.parametrize("declared", [True, False])
async def test_http2_takes_bodies_of_the_same_size_as_http1(stand: Stand, declared: bool) -> None:
    status, content, reset = await over_http2(stand, 262_144, declared=declared)
    assert (status, len(json.loads(content)["data"]["prescription"]["diagnosis"]), reset) == ("200", 262_131, False)
    for size in (262_145, 5 * MIB):
        status, content, reset = await over_http2(stand, size, declared=declared)
        assert (status, json.loads(content)["error"]["type"], reset) == ("413", "BODY_TOO_LARGE", False)


async def test_body_above_the_drained_size_is_refused_at_once(stand: Stand) -> None:
    reader, writer = await asyncio.open_connection(*stand.edge.address)
    head = "POST /api/v1/pharmacy/scan HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {9 * MIB}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_no_filter_has_failed(stand: Stand) -> None:
    assert await stand.edge.admin.counter(LUA_ERRORS) == 0
    assert await stand.edge.admin.counter("http.rest.lua.drain.errors") == 0


@control("S68")
async def test_grpc_web_gets_the_status_of_rest_and_a_code(stand: Stand) -> None:
    headers = {"content-type": "application/grpc-web", "x-a": "y" * 9_000}
    path = "/medconnect.auth.v1.AuthService/GetCurrentUser"
    response = await stand.rest.post(path, content=bytes(5), headers=headers)
    assert (response.status_code, response.headers["grpc-status"]) == (431, str(grpc.StatusCode.UNKNOWN.value[0]))
    assert "x-error-type" not in response.headers
