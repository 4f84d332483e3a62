"""Calls a server with a fixed number of calls in flight."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

import grpc.aio

from benchmarks.plan import Call
from benchmarks.processes import ServerProcess

if TYPE_CHECKING:  # grpc's classes have type parameters in its stubs only
    Method: TypeAlias = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]

IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Round:
    """The figures of one round of calls."""

    cpu: float
    """CPU microseconds of the server per call."""
    rate: float
    """Calls per second."""
    p50: float
    """Median latency in milliseconds."""
    p99: float
    """99th percentile of the latency in milliseconds."""


class Caller:
    """A connection to one server."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._channel.close()

    async def round(self, call: Call, seconds: float) -> Round:
        """Calls for `seconds`, or until the requests that can be used only once are used up."""
        requests = iter(call.requests) if call.once else cycle(call.requests)
        end = time.perf_counter() + seconds
        method: Method = self._channel.unary_unary(call.path)
        latencies: list[float] = []
        began, cpu = time.perf_counter(), self._server.cpu_seconds()
        await asyncio.gather(*(_work(method, requests, call, end, latencies) for _ in range(IN_FLIGHT)))
        spent, took = self._server.cpu_seconds() - cpu, time.perf_counter() - began
        latencies.sort()
        count = len(latencies)
        return Round(
            cpu=1e6 * spent / count,
            rate=count / took,
            p50=1e3 * latencies[count // 2],
            p99=1e3 * latencies[count * 99 // 100],
        )


async def _work(method: "Method", requests: Iterator[bytes], call: Call, end: float, latencies: list[float]) -> None:
    for request in requests:
        began = time.perf_counter()
        await method(request, metadata=call.metadata)
        ended = time.perf_counter()
        latencies.append(ended - began)
        if ended >= end:
            return
