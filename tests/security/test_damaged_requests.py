"""S75, S82: damaged requests over HTTP/1.1 and HTTP/2 cause no 5xx but 503, and no failed or slow script.

By itself each version gets 600; `pytest tests/security -k damaged --requests=10000` sends 20,000 in all. A failure
shows the request, and the seed: `--seed=…` does the same damage again.
"""

import asyncio
import random
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from server.edge.admin import Admin
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.rpc.methods import RPCS
from tests.security.damaged_requests import RawRequest, damaged, damaged_bytes

IN_FLIGHT: Final = 48
"""Requests sent at once; many of them wait SILENT_SECONDS for an answer that does not come."""
ANSWER_SECONDS: Final = 20
SILENT_SECONDS: Final = 1.0
SLOWEST_HEALTH_SECONDS: Final = 1.0
"""The limit for another caller's health check meanwhile: a script that backtracks delays it by seconds."""
STATUS: Final = re.compile(rb"(?:^|\n|\})HTTP/1\.1 (\d{3}) ")


@pytest.fixture(scope="module")
def people(actors: Actors) -> list[Actor]:
    """Returns accounts that no other test uses."""
    return [actors.new_doctor(), actors.new_pharmacist(), actors.new_patient()]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    given: int | None = request.config.getoption("--seed")
    seed = secrets.randbits(32) if given is None else given
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
async def unharmed(actors: Actors) -> AsyncIterator[tuple[str, int]]:
    """Yields the REST address; fails after the test if a script failed or a health check took too long."""
    admin = Admin(actors.instance.home / "envoy/admin.sock")
    names = [f"http.rest.lua.{script}.errors" for script in ("envelope", "drain")]
    before = [await admin.counter(name) for name in names]
    watching = asyncio.create_task(slowest_health(actors.instance.rest))
    host, _, port = actors.instance.rest.removeprefix("http://").partition(":")
    yield host, int(port)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert [await admin.counter(name) for name in names] == before
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{actors.instance.rest}/health")).status_code == 200


async def slowest_health(rest: str) -> None:
    """Repeats health checks; fails when an answer takes too long three times in a row."""
    slow = 0
    async with httpx.AsyncClient(timeout=10) as http:
        while slow < 3:
            response = await http.get(f"{rest}/health")
            assert response.status_code == 200
            slow = slow + 1 if response.elapsed.total_seconds() > within(SLOWEST_HEALTH_SECONDS) else 0
            await asyncio.sleep(0.05)
    raise AssertionError("health checks wait")


def a_request(people: list[Actor], chance: random.Random) -> RawRequest:
    """Returns a valid request of a REST method that neither ends a session nor streams without an end."""
    rpc = chance.choice(
        [each for each in RPCS.values() if not each.descriptor.server_streaming and each.name != "Logout"]
    )
    actor = chance.choice(people)
    headers = tuple((name.encode(), value.encode()) for name, value in actor.headers.items())
    path = "/api/v1" + re.sub(r"\{\w+\}", "0190a0b0-0000-7000-8000-000000000001", rpc.path)
    if rpc.verb == "GET":
        return RawRequest(b"GET", path.encode(), headers, b"")
    return RawRequest(rpc.verb.encode(), path.encode(), (*headers, (b"content-type", b"application/json")), b"{}")


def assert_polite(statuses: list[int], request: object) -> None:
    assert all(status < 500 or status == 503 for status in statuses), (statuses, repr(request)[:3_000])


@control("S75")
async def test_damaged_requests_over_http1_break_nothing(
    people: list[Actor], chance: random.Random, unharmed: tuple[str, int], damaged_requests: int
) -> None:
    async def send() -> str:
        request = damaged(a_request(people, chance), chance)
        content = damaged_bytes(request.http1(), chance)
        told = await answer_to(unharmed, content)
        statuses = [int(status) for status in STATUS.findall(told)]
        assert_polite(statuses, content)
        return str(statuses[0]) if statuses else "none"

    tally = await many_times(send, damaged_requests)
    print("HTTP/1.1", dict(tally.most_common()))
    assert {"400", "404", "405", "415"} <= tally.keys()


async def answer_to(address: tuple[str, int], content: bytes) -> bytes:
    """Returns the connection's answer to some bytes, until it is closed or silent: half a request gets no answer."""
    reader, writer = await asyncio.open_connection(*address)
    told = b""
    with suppress(OSError):  # TimeoutError is a subclass
        writer.write(content)
        while data := await asyncio.wait_for(reader.read(65536), SILENT_SECONDS):
            told += data
    writer.close()
    return told


@control("S75")
async def test_damaged_requests_over_http2_break_nothing(
    people: list[Actor], chance: random.Random, unharmed: tuple[str, int], damaged_requests: int
) -> None:
    async def send() -> str:
        request = damaged(a_request(people, chance), chance)
        status = await status_over_http2(unharmed, request)
        assert_polite([status] if status else [], request)
        return str(status or "reset")

    tally = await many_times(send, damaged_requests)
    print("HTTP/2", dict(tally.most_common()))
    assert {"400", "404", "405", "415"} <= tally.keys()


async def status_over_http2(address: tuple[str, int], request: RawRequest) -> int | None:
    """Sends a request without checking its headers; returns None if its stream or the connection is reset."""
    settings = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    connection, status = H2Connection(settings), None
    reader, writer = await asyncio.open_connection(*address)
    connection.initiate_connection()
    body = request.body
    with suppress(OSError, ProtocolError):
        connection.send_headers(1, request.http2(), end_stream=not body)
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                while body and (room := min(connection.local_flow_control_window(1), 16_384)) > 0:
                    connection.send_data(1, body[:room], end_stream=len(body) <= room)
                    body = body[room:]
                writer.write(connection.data_to_send())
                if not (data := await reader.read(65536)):
                    break
                events = connection.receive_data(data)
                for event in events:
                    if isinstance(event, ResponseReceived):
                        status = int(dict(event.headers)[b":status"])
                    elif isinstance(event, DataReceived):
                        connection.acknowledge_received_data(event.flow_controlled_length, 1)
                if any(isinstance(event, StreamEnded | StreamReset | ConnectionTerminated) for event in events):
                    break
    writer.close()
    return status


async def many_times(send: Callable[[], Awaitable[str]], count: int) -> Counter[str]:
    """Sends that many requests, IN_FLIGHT at once; returns how often each answer came."""
    tally: Counter[str] = Counter()
    turns = iter(range(count))

    async def go_on() -> None:
        for _ in turns:
            tally[await send()] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(go_on())
    return tally
