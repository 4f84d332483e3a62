"""Work that goes on beside the calls, and waiting in it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Let it run until the block is left, or it ends by itself; then it is cancelled, and has ended.

    Raises what it raised.
    """
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            await task


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until it is set, for at most so long; whether it is.

    `asyncio.wait_for` would lose a cancellation that comes together with the event on Python 3.11 (cpython#86296), and
    who stops the work would wait for its end for ever.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
