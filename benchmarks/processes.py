"""Servers as processes of their own, whose CPU time can be read."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

START_SECONDS = 30.0
STOP_SECONDS = 5.0

Serving = Callable[..., AbstractAsyncContextManager[int]]

_spawning = multiprocessing.get_context("spawn")


class ServerFailed(Exception):
    """A measured server did not start."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that runs."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """User and system time of this process so far, its children's excluded.

        The number of another process's CPU clock is that of clock_getcpuclockid(3) on Linux.
        """
        return time.clock_gettime(~self.pid << 3 | 2)


@asynccontextmanager
async def running(name: str, serving: Serving, *arguments: Any) -> AsyncIterator[ServerProcess]:
    """Run `serving(*arguments)`, which yields its port, in a new process; it ends with the block, or with this process."""
    ours, theirs = _spawning.Pipe()
    process = _spawning.Process(target=_serve, args=(theirs, serving, arguments), name=name, daemon=True)
    process.start()
    theirs.close()
    try:
        yield ServerProcess(process.pid or 0, await asyncio.to_thread(_port, ours, name))
    finally:
        ours.close()
        await asyncio.to_thread(process.join, STOP_SECONDS)
        process.kill()


def _port(pipe: Connection, name: str) -> int:
    if not pipe.poll(START_SECONDS):
        raise ServerFailed(f"{name} did not start within {START_SECONDS:.0f} s")
    try:
        return int(pipe.recv())
    except EOFError:
        raise ServerFailed(f"{name} ended at its start") from None


def _serve(pipe: Connection, serving: Serving, arguments: tuple[Any, ...]) -> None:
    asyncio.run(_until_closed(pipe, serving, arguments))


async def _until_closed(pipe: Connection, serving: Serving, arguments: tuple[Any, ...]) -> None:
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), closed.set)
    async with serving(*arguments) as port:
        pipe.send(port)
        await closed.wait()
        asyncio.get_running_loop().remove_reader(pipe.fileno())
