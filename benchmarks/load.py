"""Calls a server with a fixed number of calls in flight."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Self, TypeAlias

import grpc.aio

from benchmarks.plan import Call
from benchmarks.processes import CpuClock
from benchmarks.rest import HttpConnection, RequestFailed, http_requests

Send: TypeAlias = Callable[[bytes], Awaitable[object]]
"""Sends one request and waits for its response."""

IN_FLIGHT = 8
LEAST_CALLS = 32
"""Calls of a round even when a busy machine makes them slow."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
"""Options of a channel that shares its connection with no other channel of this process."""


@dataclass(frozen=True, slots=True)
class Round:
    """The figures of one round of calls."""

    cpu: float
    """CPU microseconds of the server per call."""
    edge: float
    """CPU microseconds of Envoy per call; 0 if the calls did not pass it."""
    database: float
    """CPU microseconds of PostgreSQL per call, all its processes together."""
    rate: float
    """Calls per second."""
    p50: float
    """Median latency in milliseconds."""
    p99: float
    """99th percentile of the latency in milliseconds."""
    failed: int
    """Calls that failed, which a busy machine can cause; their CPU time counts for the others."""


class CallsFailed(Exception):
    """More calls of a round failed than succeeded."""


class Caller:
    """Connections to one server; edge_port: calls REST on this port instead of gRPC on `port`.

    server, edge, database: the clocks of the processes that work for a call.
    """

    def __init__(
        self,
        port: int,
        server: CpuClock,
        database: CpuClock,
        edge: CpuClock | None = None,
        *,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._clocks = (server, edge or (lambda: 0.0), database)
        self._channel = None if edge else grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OWN_CONNECTION)
        self._connections = [HttpConnection(port) for _ in range(in_flight)]
        self._in_flight = in_flight

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for connection in self._connections:
            connection.close()
        if self._channel is not None:
            await self._channel.close()

    async def round(self, call: Call, seconds: float) -> Round:
        """Calls for `seconds` and at least LEAST_CALLS times, or until requests for one use are used up.

        Raises CallsFailed.
        """
        sends, texts = self._sends(call)
        requests = iter(texts) if call.once or call.first_time else cycle(texts)
        work = _Work(iter(requests), time.perf_counter() + seconds)
        began, before = time.perf_counter(), [clock() for clock in self._clocks]
        await asyncio.gather(*map(work.call, sends))
        took = time.perf_counter() - began
        spent = [clock() - earlier for clock, earlier in zip(self._clocks, before, strict=True)]
        latencies, count = sorted(work.latencies), len(work.latencies)
        if work.failures and len(work.failures) >= count:
            raise CallsFailed(f"{call.name}: {work.failures[-1]}")
        server, edge, database = (1e6 * one / count for one in spent)
        p50, p99 = 1e3 * latencies[count // 2], 1e3 * latencies[count * 99 // 100]
        return Round(server, edge, database, count / took, p50, p99, len(work.failures))

    def _sends(self, call: Call) -> tuple[list[Send], Sequence[bytes]]:
        if self._channel is None:
            return [connection.send for connection in self._connections], call.http or http_requests(call)
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(call.path)

        def send(request: bytes) -> Awaitable[object]:
            return method(request, metadata=call.metadata)

        return [send] * self._in_flight, call.requests


@dataclass(slots=True)
class _Work:
    """The calls of one round, which all connections share."""

    requests: Iterator[bytes]
    end: float
    latencies: list[float] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def call(self, send: Send) -> None:
        """Sends one request after the other until the round ends."""
        for request in self.requests:
            began = time.perf_counter()
            try:
                await send(request)
            except (RequestFailed, grpc.aio.AioRpcError) as problem:
                self.failures.append(problem)
            else:
                self.latencies.append(time.perf_counter() - began)
            enough = len(self.latencies) + len(self.failures) >= LEAST_CALLS
            if enough and time.perf_counter() >= self.end:
                return
