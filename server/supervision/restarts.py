"""Restarts a child process that died, and gives up on one that keeps dying.

The policy is that of an Erlang supervisor, a bound on the restarts within a period, with exponential backoff between
them. The error that ends the supervision is meant to end the whole instance, so that its own service manager sees it.
"""

import asyncio
from asyncio.subprocess import Process
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import Signals
from typing import Final, Protocol

import structlog

from server import background

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
PERIOD_SECONDS: Final = 120.0
"""The period in which deaths are counted."""
MOST_DEATHS: Final = 15
"""How many deaths within the period are followed by a restart."""
MOST_FAILED_STARTS: Final = 10
"""How many starts in a row may fail. With the pauses they take 14 seconds or more."""

_log = structlog.get_logger()


class StartFailed(Exception):
    """A child process ended before it served, or did not begin to serve; the text states which and why."""


class KeepsDying(Exception):
    """A child process died too often, or could not be started any more."""


class Child(Protocol):
    """A child process across its restarts."""

    @property
    def name(self) -> str:
        """The name in the log."""
        ...

    @property
    def pid(self) -> int | None:
        """The process id of the latest start; None before the first."""
        ...

    async def start(self) -> None:
        """Starts the process and returns when it serves. Raises StartFailed or OSError; then no process is left."""
        ...

    async def wait(self) -> int:
        """Waits until the latest process has ended and returns its exit code."""
        ...

    async def stop(self) -> None:
        """Stops the process if it runs, and returns when it has ended."""
        ...


async def stop_process(process: Process | None, stop: Signals, grace: float) -> None:
    """Stops a process, if it runs, by this signal, and waits until it has ended; kills it after `grace` seconds."""
    if process is None or process.returncode is not None:
        return
    process.send_signal(stop)
    try:
        async with asyncio.timeout(grace):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def running(child: Child) -> AsyncIterator[None]:
    """Starts a child, restarts it whenever it dies, and stops it when the block is left.

    Raises the errors of the first start, and KeepsDying from the block.
    """
    try:
        await child.start()
        async with kept_alive(child):
            yield
    finally:
        await child.stop()


@asynccontextmanager
async def kept_alive(child: Child) -> AsyncIterator[None]:
    """Restarts a started child whenever it dies, until the block is left. Raises KeepsDying from the block."""
    async with background.running(_restart_forever(child)):
        yield


async def _restart_forever(child: Child) -> None:
    deaths = _Deaths()
    loop = asyncio.get_running_loop()
    while True:
        code = await child.wait()
        died = loop.time()
        pause = deaths.pause_after(died)
        _log.error("child_died", child=child.name, pid=child.pid, code=code, pause=pause)
        if pause is None:
            raise KeepsDying(f"{child.name} keeps dying: {len(deaths)} times within {PERIOD_SECONDS:.0f} s")
        await _restart(child, pause)
        seconds = round(loop.time() - died, 3)
        _log.warning("child_restarted", child=child.name, pid=child.pid, seconds=seconds)


async def _restart(child: Child, pause: float) -> None:
    for _ in range(MOST_FAILED_STARTS):
        await asyncio.sleep(pause)
        try:
            await child.start()
        except (StartFailed, OSError) as error:
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            _log.error("child_not_started", child=child.name, reason=reason, pause=pause)
        else:
            return
    raise KeepsDying(f"{child.name} died and could not be started again, {MOST_FAILED_STARTS} times in a row")


class _Deaths:
    """The recent deaths of a child."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._times)

    def pause_after(self, now: float) -> float | None:
        """Counts a death and returns how long to wait before the restart, in seconds; None to give up."""
        self._times.append(now)
        while self._times[0] <= now - PERIOD_SECONDS:
            self._times.popleft()
        if len(self._times) > MOST_DEATHS:
            return None
        return min(FIRST_PAUSE_SECONDS * 2.0 ** (len(self._times) - 1), LONGEST_PAUSE_SECONDS)
