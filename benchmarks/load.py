"""Calls a server with a fixed number of calls in flight."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import Self, TypeAlias

import grpc.aio

from benchmarks.plan import Call
from benchmarks.processes import CpuClock
from benchmarks.rest import HttpConnection, http_requests

Send: TypeAlias = Callable[[bytes], Awaitable[object]]
"""Sends one request and waits for its response."""

IN_FLIGHT = 8
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
        """Calls for `seconds`, or until the requests that can be used only once are used up."""
        sends, texts = self._sends(call)
        requests = iter(texts) if call.once or call.first_time else cycle(texts)
        latencies: list[float] = []
        began, before = time.perf_counter(), [clock() for clock in self._clocks]
        await asyncio.gather(*(_work(send, requests, began + seconds, latencies) for send in sends))
        took = time.perf_counter() - began
        spent = [clock() - earlier for clock, earlier in zip(self._clocks, before, strict=True)]
        latencies.sort()
        count = len(latencies)
        server, edge, database = (1e6 * one / count for one in spent)
        p50, p99 = 1e3 * latencies[count // 2], 1e3 * latencies[count * 99 // 100]
        return Round(server, edge, database, count / took, p50, p99)

    def _sends(self, call: Call) -> tuple[list[Send], Sequence[bytes]]:
        if self._channel is None:
            return [connection.send for connection in self._connections], call.http or http_requests(call)
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(call.path)

        def send(request: bytes) -> Awaitable[object]:
            return method(request, metadata=call.metadata)

        return [send] * self._in_flight, call.requests


async def _work(send: Send, requests: Iterator[bytes], end: float, latencies: list[float]) -> None:
    for request in requests:
        began = time.perf_counter()
        await send(request)
        ended = time.perf_counter()
        latencies.append(ended - began)
        if ended >= end:
            return
