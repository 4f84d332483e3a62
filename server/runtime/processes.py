"""Runs several serving processes on one port: starts them, restarts one that ended, stops them all.

A child runs this same command in a process of its own. It dies with the parent, however the parent ends
(die_with_parent), and reports by a byte on its standard output that it serves.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from server.supervision import restarts
from server.supervision.progress import IDLE_SECONDS, while_it_works
from server.supervision.restarts import StartFailed

DIE_WITH_PARENT: Final = Path(__file__).parents[1] / "supervision" / "die_with_parent.py"
STOP_SECONDS: Final = 30.0
"""The time for a child to drain and end; longer than the drain itself."""
READY: Final = b"."
END_STREAMS: Final = signal.SIGUSR1
"""The signal by which a child ends its streams: the parent is about to stop, and the edge waits for streams first."""


class ServerProcessFailed(StartFailed):
    """A serving process ended before it served, or hung."""


@asynccontextmanager
async def running(count: int, environment: Mapping[str, str]) -> AsyncIterator[Callable[[], None]]:
    """Serves with `count` processes, `medconnect serve-one NUMBER` with this environment, until the block is left.

    Yields a function that ends their streams. Raises ServerProcessFailed when one of them does not start, and
    KeepsDying from the block.
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
                await kept.enter_async_context(restarts.kept_alive(child))
            yield partial(_end_streams, children)
    finally:
        await asyncio.gather(*(child.stop() for child in children))


def _end_streams(children: Iterable["Child"]) -> None:
    for child in children:
        child.end_streams()


@contextmanager
def reserved_port(address: str) -> Iterator[str]:
    """Reserves a `host:port` that the children share; yields it with the actual port in place of 0.

    Sharing needs SO_REUSEPORT on every socket of the port. Binding without it first fails when another program listens
    there. SO_REUSEADDR lets the bind succeed despite connections of a previous run, which stay in TIME-WAIT for a
    minute; removing the option afterwards makes the next process that reserves the port fail too. Raises OSError when
    the port is taken.
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
    """One serving process, across its restarts."""

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self._number = number
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        """The name in the log."""
        return f"server process {self._number}"

    @property
    def pid(self) -> int | None:
        """The process id of the latest start."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts it and returns when it serves. Raises ServerProcessFailed."""
        command = (sys.executable, "-m", "server", "serve-one", str(self._number))
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(os.getpid()), *command),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches only the parent, which then stops the child
        )
        try:
            said = await while_it_works(process.pid, process.stdout.read(1)) if process.stdout else b""
        except TimeoutError:
            process.kill()
            await process.wait()
            raise ServerProcessFailed(f"{self.name} hung for {IDLE_SECONDS:.0f} s before it served") from None
        if said != READY:
            raise ServerProcessFailed(f"{self.name} ended with {await process.wait()} before it served")

    async def wait(self) -> int:
        """Waits until the latest process has ended and returns its exit code."""
        if self._process is None:
            raise RuntimeError("not started")
        return await self._process.wait()

    def end_streams(self) -> None:
        """Makes the child end its streams."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(END_STREAMS)

    async def stop(self) -> None:
        """Stops the child after it has drained; kills it after STOP_SECONDS."""
        await restarts.stop_process(self._process, signal.SIGTERM, STOP_SECONDS)
