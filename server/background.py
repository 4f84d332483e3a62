"""Work that goes on beside the calls, and waiting in it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def running(
    work: Coroutine[Any, Any, None], stop: Callable[[], None] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Runs work until the block is left, or it ends by itself.

    An error of the work cancels the block and is raised from it: a process whose background work died unnoticed would
    go on without being of use. stop: asks the work to finish when the block is left; without it the work is cancelled.
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
            raise  # another cancellation than ours
    if not task.cancelled():
        task.result()


async def _ended(task: asyncio.Task[None], stop: Callable[[], object]) -> None:
    stop()
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until it is set, for at most so long; whether it is.

    `asyncio.wait_for` would lose a cancellation that comes together with the event on Python 3.11 (cpython#86296), and
    who stops the work would wait for its end for ever.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def unwatched() -> None:
    """Does nothing: stands for the report of work whose success nobody waits for."""
