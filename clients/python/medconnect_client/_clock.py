"""The one place that reads the time and waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the time and waits; passed in, so that a test can stop and turn it."""

    now: Callable[[], datetime] = _utc_now
    """The present moment, aware, in UTC; may be wrong where nobody sets the clock."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that only grow."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for that many seconds."""
