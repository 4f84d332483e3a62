"""Measures how busy the event loop is: how much later than planned a periodic task runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from server import background

INTERVAL_SECONDS: Final = 0.25


@asynccontextmanager
async def measured(lagged: Callable[[float], None]) -> AsyncIterator[None]:
    """Calls `lagged` four times a second with the loop's delay in seconds, until the block is left."""
    async with background.running(_measure(lagged)):
        yield


async def _measure(lagged: Callable[[float], None]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        planned = loop.time() + INTERVAL_SECONDS
        await asyncio.sleep(INTERVAL_SECONDS)
        lagged(max(0.0, loop.time() - planned))
