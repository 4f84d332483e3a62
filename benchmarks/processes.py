"""Runs servers in processes of their own, whose CPU time can be read."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TypeVar

START_SECONDS = 120.0
STOP_SECONDS = 5.0

N = TypeVar("N", bound=str)
CpuClock = Callable[[], float]
"""Returns CPU seconds so far."""
Serving = Callable[..., AbstractAsyncContextManager[int]]

_spawning = multiprocessing.get_context("spawn")


class ServerFailed(Exception):
    """A measured server did not start."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server process."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Returns the user and system time of the process so far, without its children."""
        return cpu_seconds(self.pid)


def cpu_seconds(pid: int) -> float:
    """Returns the user and system time of a process so far, without its children.

    The clock id of another process is computed as in clock_getcpuclockid(3) on Linux.
    """
    return time.clock_gettime(~pid << 3 | 2)


def family_cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process and of its living children, for PostgreSQL with its backends."""
    total = cpu_seconds(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # it has ended meanwhile
            total += cpu_seconds(int(child))
    return total


@asynccontextmanager
async def running(servers: Mapping[N, Sequence[object]]) -> AsyncIterator[Mapping[N, ServerProcess]]:
    """Runs each server in a new process; a server is a function that yields its port, followed by its arguments.

    The processes start concurrently and end with the block or with this process. Raises ServerFailed.
    """
    starts = (asyncio.to_thread(_start, name, arguments) for name, arguments in servers.items())
    children = dict(zip(servers, await asyncio.gather(*starts), strict=True))
    try:
        yield {name: ServerProcess(child.pid or 0, await _port(pipe, name)) for name, (child, pipe) in children.items()}
    finally:
        for _, pipe in children.values():
            pipe.close()
        for child, _ in children.values():
            await asyncio.to_thread(child.join, STOP_SECONDS)
            child.kill()


def _start(name: str, serving: Sequence[object]) -> tuple[SpawnProcess, Connection]:
    ours, theirs = _spawning.Pipe()
    child = _spawning.Process(target=_serve, args=(theirs, *serving), name=name, daemon=True)
    child.start()
    theirs.close()
    return child, ours


async def _port(pipe: Connection, name: str) -> int:
    if not await asyncio.to_thread(pipe.poll, START_SECONDS):
        raise ServerFailed(f"{name} did not start within {START_SECONDS:.0f} s")
    try:
        return int(pipe.recv())
    except EOFError:
        raise ServerFailed(f"{name} ended at its start") from None


def _serve(pipe: Connection, serving: Serving, *arguments: object) -> None:
    asyncio.run(_until_closed(pipe, serving(*arguments)))


async def _until_closed(pipe: Connection, serving: AbstractAsyncContextManager[int]) -> None:
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), closed.set)
    async with serving as port:
        pipe.send(port)
        await closed.wait()
        asyncio.get_running_loop().remove_reader(pipe.fileno())
