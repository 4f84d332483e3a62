"""The only module that reads the time and sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The source of time; passed in, so that tests can control it."""

    now: Callable[[], datetime] = _utc_now
    """Returns the current time, aware, in UTC; wrong if the machine's clock is not set."""
    monotonic: Callable[[], float] = time.monotonic
    """Returns seconds of a clock that never goes backwards."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for a number of seconds."""
