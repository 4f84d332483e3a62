"""Several serving processes on one port: starts them, starts one that ended anew, ends them all.

A child is this same command in a process of its own. It dies with the parent, whatever ends that (edge/tether.py), and
says by a byte on its standard output that it serves.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from server import background

TETHER: Final = Path(__file__).parent / "edge" / "tether.py"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
"""More than a child takes to drain."""
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0
"""Between two starts of a child that ends at once."""
STABLE_SECONDS: Final = 60.0
"""Who lived so long is started anew without a pause."""
READY: Final = b"."
END_STREAMS: Final = signal.SIGUSR1
"""Tells a child to let its streams end: the parent is about to stop, and the edge waits for them first."""

_log = structlog.get_logger()


class ServerProcessFailed(Exception):
    """A serving process ended before it served, or took too long."""


@asynccontextmanager
async def running(count: int, environment: Mapping[str, str]) -> AsyncIterator[Callable[[], None]]:
    """Serve by `count` processes, `medconnect serve-one NUMBER` with this environment, until the block is left.

    Yields what ends their streams.
    Raises ServerProcessFailed when one of them does not start.
    """
    children = [Child(number, environment) for number in range(count)]
    try:
        async with asyncio.TaskGroup() as starting:
            for child in children:
                starting.create_task(child.start())
    except* ServerProcessFailed as failures:
        await asyncio.gather(*(child.stop() for child in children))
        raise failures.exceptions[0] from None
    try:
        async with AsyncExitStack() as kept:
            for child in children:
                await kept.enter_async_context(background.running(child.kept_alive()))
            yield partial(_end_streams, children)
    finally:
        await asyncio.gather(*(child.stop() for child in children))


def _end_streams(children: Iterable["Child"]) -> None:
    for child in children:
        child.end_streams()


@contextmanager
def reserved_port(address: str) -> Iterator[str]:
    """Keeps a `host:port` for the children, who share it; yields it with the port that 0 stands for.

    Sharing needs SO_REUSEPORT on every socket of the port. Binding without it first fails when another program listens
    there. SO_REUSEADDR lets it succeed beside connections of a former life, which stay in TIME-WAIT for a minute;
    taken away again, it makes the next keeper of the port fail, too. Raises OSError when the port is taken.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            keeper.bind((host, int(port)))
        except OSError as error:
            raise OSError(f"cannot listen on {address}: is another server running?") from error
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield f"{address.rpartition(':')[0]}:{keeper.getsockname()[1]}"


class Child:
    """One serving process, over its lives."""

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self._number = number
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; returns when it serves. Raises ServerProcessFailed."""
        command = (sys.executable, "-m", "server", "serve-one", str(self._number))
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *command),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops it
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                said = await process.stdout.read(1) if process.stdout else b""
        except TimeoutError:
            raise ServerProcessFailed(f"server process {self._number} took longer than {START_SECONDS:.0f} s") from None
        if said != READY:
            code = await process.wait()
            raise ServerProcessFailed(f"server process {self._number} ended with {code} before it served")

    async def kept_alive(self) -> None:
        """Start it anew whenever it ends, at once if it lived long, else after growing pauses."""
        loop = asyncio.get_running_loop()
        pause, started = FIRST_PAUSE_SECONDS, loop.time()
        while True:
            code = await self._process.wait() if self._process else None
            if loop.time() - started > STABLE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            _log.error("server_process_ended", number=self._number, code=code, pause=pause)
            await asyncio.sleep(pause)
            pause, started = min(2 * pause, LONGEST_PAUSE_SECONDS), loop.time()
            with suppress(ServerProcessFailed):
                await self.start()

    def end_streams(self) -> None:
        """Let its streams end."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(END_STREAMS)

    async def stop(self) -> None:
        """Let it drain and end; kill it when that takes too long."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
