"""S83 to S85: one client that does not read, or sends nothing, takes nothing from others.

The attacks hold what they have taken while others are measured; none of them costs anything to hold.
"""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha import reflection_pb2
from h2.exceptions import ProtocolError
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc

from server.api.interceptors import direct_calls
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import committing_work
from tests.fixtures.pace import within
from tests.fixtures.process import Process, process_up
from tests.fixtures.proofs import control
from tests.interceptors.probe import BODY, PATHS, House, running_house
from tests.security.raw_http2 import RawHttp2, connected

UNREAD = 1_100
"""More than the server has call slots."""
STREAMS = 32
"""As many as the edge allows on a connection."""
SAMPLES = 100
ROUNDS_BEFORE, ROUNDS_DURING = 2, 5
NOISE_SECONDS = 0.05
"""How much the other work of a test machine costs now and then."""
RECOVERY_SECONDS = 5.0
EMPTY = bytes(5)
"""A gRPC message without fields."""
LARGEST = "/api-docs/swagger-ui-bundle.js"
PORTS = pytest.mark.parametrize("port", ["grpc", "rest"])


@dataclass(frozen=True, slots=True)
class Attacked:
    """An instance in processes of its own."""

    process: Process

    def port(self, name: str) -> int:
        """Returns the port of gRPC, or of REST."""
        return int({"grpc": self.process.grpc, "rest": self.process.rest}[name].rpartition(":")[2])

    @property
    def edge_memory(self) -> int:
        """Returns the resident memory of Envoy in KiB."""
        pid = self.process.child.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        (edge,) = (child for child in children if b"envoy.yaml" in Path(f"/proc/{child}/cmdline").read_bytes())
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{edge}/status").read_text())
        assert found is not None
        return int(found[1])


@pytest.fixture(scope="module")
def attacked(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with process_up(shared_database_url, tmp_path_factory.mktemp("mc"), LOG_LEVEL="error") as process:
        yield Attacked(process)


def grpc_headers(path: str) -> list[tuple[str, str]]:
    pseudo = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
    return [*pseudo, ("te", "trailers"), ("content-type", "application/grpc")]


@asynccontextmanager
async def unread(
    port: int, count: int, headers: list[tuple[str, str]], body: bytes = b""
) -> AsyncIterator[list[RawHttp2]]:
    """Yields that many requests whose answers the client does not read."""
    async with AsyncExitStack() as stack:
        held = []
        for begun in range(0, count, STREAMS):
            raw = await stack.enter_async_context(connected(port, reads=False))
            with suppress(OSError, ProtocolError):  # the edge has closed its connection
                for _ in range(min(STREAMS, count - begun)):
                    await raw.ask(headers, body)
            held.append(raw)
        yield held


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


async def round_of(ask: Callable[[], Awaitable[object]]) -> float:
    """Returns how long 99 of 100 calls take at most."""
    took = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        await ask()
        took.append(time.perf_counter() - began)
    return sorted(took)[SAMPLES * 99 // 100 - 1]


@asynccontextmanager
async def neighbours(attacked: Attacked) -> AsyncIterator[dict[str, Callable[[], Awaitable[object]]]]:
    """Yields the calls of other clients, by the port that they call; a refusal raises."""
    async with (
        grpc.aio.insecure_channel(attacked.process.grpc) as channel,
        httpx.AsyncClient(base_url=attacked.process.rest, timeout=10) as rest,
    ):
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)

        async def ask_rest() -> None:
            (await rest.get("/api/v1/auth/jwks")).raise_for_status()

        yield {"grpc": lambda: stub.GetKeySet(auth.GetKeySetRequest(), timeout=10), "rest": ask_rest}


async def limits(attacked: Attacked, *ports: str) -> dict[str, float]:
    """Returns how long calls of others may take during an attack, in seconds by port."""
    found = {}
    for port in ports:
        async with neighbours(attacked) as others:
            await others[port]()
            rounds = [await round_of(others[port]) for _ in range(ROUNDS_BEFORE)]
        found[port] = 2 * min(rounds) + within(NOISE_SECONDS)
    return found


async def assert_within(attacked: Attacked, most: Mapping[str, float]) -> None:
    """Checks that a client that connects now keeps to the limits in one of five rounds: others share the machine."""
    for port, limit in most.items():
        took: list[float] = []
        async with neighbours(attacked) as others:
            await others[port]()
            while len(took) < ROUNDS_DURING and (not took or took[-1] > limit):
                took.append(await round_of(others[port]))
        assert took[-1] <= limit, (port, took)


def message(body: bytes) -> bytes:
    """Returns a message as it is sent on the wire."""
    return b"\0" + len(body).to_bytes(4, "big") + body


def reflected() -> bytes:
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="medconnect.clinical.v1.ClinicalService")
    return message(request.SerializeToString())


CALLS = {
    "health": ("/grpc.health.v1.Health/Check", EMPTY),
    "keys": ("/medconnect.auth.v1.AuthService/GetKeySet", EMPTY),
    "large": ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", reflected()),
}


@control("S83")
@PORTS
@pytest.mark.parametrize("call", CALLS)
async def test_answers_that_are_not_read_slow_nobody_down(attacked: Attacked, port: str, call: str) -> None:
    path, body = CALLS[call]
    most = await limits(attacked, "grpc", "rest")
    async with unread(attacked.port(port), UNREAD, grpc_headers(path), body) as held:
        await until(lambda: all(raw.answered for raw in held))
        await assert_within(attacked, most)
    async with asyncio.timeout(within(RECOVERY_SECONDS)), neighbours(attacked) as others:
        await others[port]()


@pytest.fixture
async def direct(
    database_url: str, clock: SettableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """Yields the toy service, called without the edge."""
    monkeypatch.setattr(direct_calls, "TAKE_SECONDS", 2.0)
    async with committing_work(database_url) as work, running_house(work, clock, tmp_path) as running:
        yield running


@control("S83")
async def test_direct_client_occupies_only_its_share_briefly(direct: House) -> None:
    headers = [*grpc_headers(PATHS["unary"]), *direct.bearer()]
    async with connected(direct.port, reads=False) as first, connected(direct.port, source="127.0.0.2") as other:
        for _ in range(direct_calls.CALLS_PER_ADDRESS):
            await first.ask(headers, message(BODY))
        await until(lambda: len(first.statuses) == direct_calls.CALLS_PER_ADDRESS)
        assert set(first.statuses) == {"200"}
        refused = await direct.call("unary", direct.bearer())
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_BUSY")
        await other.ask(headers, message(BODY))
        await until(lambda: other.statuses == ["200"])
        async with asyncio.timeout(within(RECOVERY_SECONDS)):
            while (await direct.call("unary", direct.bearer())).code is not grpc.StatusCode.OK:
                await asyncio.sleep(0.1)


@control("S84")
async def test_large_answers_that_are_not_read_take_bounded_memory(attacked: Attacked, stalled: int) -> None:
    headers = [(":method", "GET"), (":scheme", "http"), (":path", LARGEST), (":authority", "x")]
    most, memory = await limits(attacked, "rest"), attacked.edge_memory
    async with unread(attacked.port("rest"), stalled, headers) as held:
        await until(lambda: all(raw.answered for raw in held))
        assert attacked.edge_memory < 2 * memory
        await assert_within(attacked, most)
        statuses = [status for raw in held for status in raw.statuses]
        assert set(statuses) <= {"200", "429"}
        assert statuses.count("429") > len(statuses) // 2
        await until(lambda: all(raw.closed.is_set() or raw.resets == raw.asked for raw in held))  # none waits forever
    async with asyncio.timeout(within(RECOVERY_SECONDS)), httpx.AsyncClient(base_url=attacked.process.rest) as reader:
        while (await reader.get(LARGEST)).status_code != 200:
            await asyncio.sleep(0.2)


@control("S85")
@PORTS
@pytest.mark.parametrize(
    "said", [b"", b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], ids=["nothing", "a byte", "a preface"]
)
async def test_connections_that_ask_nothing_keep_nobody_out(
    attacked: Attacked, port: str, said: bytes, idle: int
) -> None:
    address = ("127.0.0.1", attacked.port(port))
    most = await limits(attacked, port)
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.socket()) for _ in range(idle)]
        for number, connection in enumerate(connections):
            connection.setblocking(False)
            connection.connect_ex(address)
            if number % 100 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        for connection in connections:
            connection.send(said)
        await assert_within(attacked, most)


@control("S85")
async def test_who_says_nothing_is_sent_away(attacked: Attacked) -> None:
    for port in ("grpc", "rest"):
        reader, writer = await asyncio.open_connection("127.0.0.1", attacked.port(port))
        writer.write(b"P")
        async with asyncio.timeout(within(15)):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
