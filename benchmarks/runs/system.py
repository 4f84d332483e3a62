"""Measures the server as a process: start, memory, open streams, sign-ins at once, two processes."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health_pb2
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.events.v1 import events_service_pb2_grpc

from benchmarks import whole
from benchmarks.hospital.facts import Size
from benchmarks.load import OWN_CONNECTION, Caller, Round
from benchmarks.plan import Call
from benchmarks.processes import ServerProcess, running
from benchmarks.report.sections import Section, Table, Target
from benchmarks.stage import Stage, staged
from benchmarks.story import Story
from server.auth.entities import User, UserStatus
from server.auth.tokens.access_tokens import AccessTokens
from server.auth.tokens.keys import KeyRing
from server.clock import Clock
from server.identity import Role

ISSUE: Final = "issue 13"
PAGE: Final = "performance page"
SIZE: Final = Size(1_000, 5_000)
SECONDS: Final = 1.0
STREAMS: Final = 500
CALLS_PER_CHANNEL: Final = 50
SIGN_INS: Final = 200
_NEW_ADMINS: Final = """
    WITH admins AS (
        INSERT INTO users (id, email, full_name, name_words, role, status)
        SELECT gen_random_uuid(), 'watcher' || number || '@generated.example', 'Watcher', '', 'admin', 'active'
        FROM generate_series(1, $1::int) AS number RETURNING id
    )
    INSERT INTO sessions (id, user_id, expires_at)
    SELECT gen_random_uuid(), id, now() + interval '1 day' FROM admins RETURNING id, user_id
    """
CONNECTIONS: Final = 16
"""Connections that share two processes: from eight on they spread evenly."""


@dataclass(slots=True)
class _Findings:
    """The findings so far: lines of the table, and the targets."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def add(self, question: str, value: float, unit: str, limit: float | None = None, source: str = ISSUE) -> None:
        """Adds a figure; with a limit, it is also a target."""
        self.rows.append((question, f"{value:,.2f} {unit}".strip() if value < 100 else f"{value:,.0f} {unit}".strip()))
        if limit is not None:
            self.targets.append(Target(question, value, limit, unit, source))


async def run(calls: int, seed: int) -> Section:
    """Measures one server, then two; calls: between two measurements of memory."""
    found = _Findings()
    async with staged(SIZE, SECONDS, seed, _chosen) as stage, _worker(stage):
        by_name = {known.call.name: known.call for known in stage.calls}
        began = time.perf_counter()
        async with _server(stage) as [server], _channel(stage) as channel:
            await _serves(channel)
            found.add("Start to SERVING", time.perf_counter() - began, "s", 2.0)
            caller = Caller(server.port, server.cpu_seconds, stage.database_clock)
            alone = await _memory(found, server, caller, by_name["GetCurrentUser"], calls)
            await _streams(found, stage, server, caller, by_name["GetCurrentUser"], alone)
            await _sign_ins(found, stage, server, by_name["Login"])
        await _two_processes(found, stage, by_name["GetCurrentUser"], alone)
    notes = (
        "One server process on a generated hospital; memory is the resident set. Start includes the start of Python"
        " and the import of all modules. SO_REUSEPORT spreads connections, not calls, over two processes."
    )
    return Section("system", "Processes, memory, streams", notes, [Table(("question", "measured"), found.rows)],
                   found.targets)  # fmt: skip


def _chosen(story: Story) -> Collection[Call]:
    return [call for call in story.calls() if call.name in ("GetCurrentUser", "Login")]


@asynccontextmanager
async def _server(stage: Stage, processes: int = 1) -> AsyncIterator[list[ServerProcess]]:
    """Runs that many server processes, which share a port if there are several."""
    settings = stage.settings.model_copy(update={"server_processes": processes})
    serving: dict[str, Any] = {"server": (whole.server, settings, stage.hospital.url, _socket(stage))}
    async with AsyncExitStack() as stack:
        first = (await stack.enter_async_context(running(serving)))["server"]
        found = [first]
        for number in range(1, processes):
            address = f"127.0.0.1:{first.port}"
            another = {f"server {number}": (whole.server, settings, stage.hospital.url, None, address)}
            found += (await stack.enter_async_context(running(another))).values()
        yield found


@asynccontextmanager
async def _worker(stage: Stage) -> AsyncIterator[None]:
    """Runs a worker, so that no measured server does its work."""
    async with running({"worker": (whole.worker, stage.settings, stage.hospital.url)}):
        yield


@asynccontextmanager
async def _channel(stage: Stage) -> AsyncIterator[grpc.aio.Channel]:
    """Yields a connection of its own to the socket of the edge, because direct clients may open few calls at once."""
    async with grpc.aio.insecure_channel(f"unix:{_socket(stage)}", options=OWN_CONNECTION) as channel:
        yield channel


def _socket(stage: Stage) -> Path:
    return stage.settings.medconnect_home / "server.sock"


async def _serves(channel: grpc.aio.Channel) -> None:
    """Waits until the server reports that it serves."""
    serving = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()
    while await _health(channel) != serving:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)


async def _health(channel: grpc.aio.Channel) -> bytes:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
    return await method(b"")


async def _memory(found: _Findings, server: ServerProcess, caller: Caller, call: Call, calls: int) -> Round:
    """Measures the memory after each of three series of calls, and returns the figures of the last one."""
    sizes, done, last = [], 0.0, await caller.round(call, 0.2)
    for _ in range(3):
        done = 0.0
        while done < calls:
            last = await caller.round(call, 1.0)
            done += last.rate
        sizes.append(_resident_kib(server.pid) / 1024)
    found.add(f"Memory after {3 * calls:,} calls", sizes[-1], "MiB", 150.0)
    found.add(f"Memory gained by the last {calls:,} calls", max(0.0, sizes[-1] - sizes[-2]), "MiB", 2.0, PAGE)
    return last


async def _streams(
    found: _Findings, stage: Stage, server: ServerProcess, caller: Caller, call: Call, alone: Round
) -> None:
    """Opens streams that receive nothing and measures their memory, and calls beside them."""
    before = _resident_kib(server.pid)
    async with AsyncExitStack() as stack:
        number = 0
        async for metadata in _admins(stage):
            if number % CALLS_PER_CHANNEL == 0:
                channel = await stack.enter_async_context(_channel(stage))
            stub = events_service_pb2_grpc.EventsServiceStub(channel)
            stream = stub.WatchEmailQueueStatus(events.WatchEmailQueueStatusRequest(), metadata=metadata)
            await stream.read()
            number += 1
        found.add(f"Memory per stream of {STREAMS}", (_resident_kib(server.pid) - before) / STREAMS, "KiB", 100.0, PAGE)
        beside = await caller.round(call, SECONDS)
        found.add(f"p99 beside {STREAMS} streams ÷ alone", beside.p99 / alone.p99, "", 1.5, PAGE)


async def _admins(stage: Stage) -> AsyncIterator[tuple[tuple[str, str], ...]]:
    """Yields the metadata of callers who have no other stream: the streams of one caller are limited."""
    secret = stage.settings.jwt_secret
    if secret is None:
        raise RuntimeError("the stage's settings have a secret")
    tokens = AccessTokens(KeyRing.derived(secret.get_secret_value()), Clock(), timedelta(minutes=15))
    now = datetime.now(UTC)
    async with stage.database() as database:
        rows = await database.fetch(_NEW_ADMINS, STREAMS)
    for row in rows:
        admin = User(row["user_id"], "", True, "", "", "", Role.ADMIN, UserStatus.ACTIVE, "", "", "", "", "", "", now)
        token, _ = tokens.issue(admin, row["id"], now + timedelta(days=1))
        yield (("authorization", f"Bearer {token}"),)


async def _sign_ins(found: _Findings, stage: Stage, server: ServerProcess, login: Call) -> None:
    """Signs many accounts in at once, and asks for the health meanwhile."""
    waits: list[float] = []
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(_channel(stage)) for _ in range(1 + SIGN_INS // CALLS_PER_CHANNEL)]
        methods: list[Any] = [channel.unary_unary(login.path) for channel in channels]
        before = server.cpu_seconds()
        signing_in = asyncio.gather(
            *(
                methods[1 + number // CALLS_PER_CHANNEL](text)
                for number, text in enumerate(islice(cycle(login.requests), SIGN_INS))
            ),
            return_exceptions=True,
        )
        while not signing_in.done():
            began = time.perf_counter()
            await _health(channels[0])
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.005)
        spent = server.cpu_seconds() - before
    done = sum(isinstance(result, bytes) for result in await signing_in)
    found.add(f"CPU per sign-in, {SIGN_INS} at once, {done} of them served", 1e3 * spent / max(1, done), "ms", 25.0)
    found.add(f"Health p99 beside {SIGN_INS} sign-ins", 1e3 * sorted(waits)[len(waits) * 99 // 100], "ms", 50.0)


async def _two_processes(found: _Findings, stage: Stage, call: Call, alone: Round) -> None:
    """Measures how evenly connections spread over two processes, and what a call costs there."""
    async with _server(stage, 2) as servers, AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(Caller(servers[0].port, lambda: 0.0, stage.database_clock, in_flight=1))
            for _ in range(CONNECTIONS)
        ]
        before = [server.cpu_seconds() for server in servers]
        rounds = await asyncio.gather(*(caller.round(call, SECONDS) for caller in callers))
        spent = [server.cpu_seconds() - earlier for server, earlier in zip(servers, before, strict=True)]
        count = sum(one.rate for one in rounds) * SECONDS
        found.add("CPU per call with two processes ÷ with one", 1e6 * sum(spent) / count / alone.cpu, "", 1.15, PAGE)
        found.add(f"Share of the busier of two processes, {CONNECTIONS} connections", max(spent) / sum(spent), "")
        found.add("Calls per second of two processes ÷ one", sum(one.rate for one in rounds) / alone.rate, "")


def _resident_kib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4.0
