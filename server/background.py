"""Runs background tasks while a block lasts, and waits within them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

_log = structlog.get_logger()


@asynccontextmanager
async def running(
    work: Coroutine[Any, Any, None], stop: Callable[[], None] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Runs work until the block is left, or until the work ends by itself.

    An error of the work cancels the block and is raised from it, because a process whose background task has died
    unnoticed would keep running without being useful. stop: asks the work to finish when the block is left; without it
    the work is cancelled.
    """
    block = asyncio.current_task()
    if block is None:
        raise RuntimeError("background work runs beside a task")
    cancellations, interrupted = block.cancelling(), False

    def interrupt(ended: asyncio.Task[None]) -> None:
        nonlocal interrupted
        if not ended.cancelled() and ended.exception() is not None:
            interrupted = block.cancel()

    task = asyncio.create_task(work)
    task.add_done_callback(interrupt)
    try:
        try:
            yield task
        finally:
            task.remove_done_callback(interrupt)
            await _ended(task, stop or task.cancel)
    except asyncio.CancelledError:
        if not interrupted or block.uncancel() > cancellations:
            raise  # a cancellation from elsewhere
    if not task.cancelled():
        task.result()


async def _ended(task: asyncio.Task[None], stop: Callable[[], object]) -> None:
    stop()
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise


async def repeat(
    work: Callable[[], Awaitable[object]], *, every: float, failed: str, level: int = logging.WARNING, delay: float = 0
) -> None:
    """Repeats work until it is cancelled, with a pause of `every` seconds after each round.

    failed: the log event of a round that raises, logged at `level`. The next round tries again: background work never
    ends by itself. delay: the seconds before the first round.
    """
    await asyncio.sleep(delay)
    while True:
        try:
            await work()
        except Exception as error:
            _log.log(level, failed, error=type(error).__name__)
        await asyncio.sleep(every)


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Waits until the event is set, for at most this many seconds, and returns whether it is set.

    With Python 3.11, `asyncio.wait_for` loses a cancellation that arrives together with the event (cpython#86296); a
    caller that stops the work would then wait for its end forever.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def unwatched() -> None:
    """Does nothing; the default for a success report that no caller needs."""
