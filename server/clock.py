"""The only module that reads the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Returns the time. It is passed in wherever time matters, so that a test can stop or set it.

    Validity, leases and the expiry of stored rows are judged by the database's clock instead (`now()` in the
    statement).
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """The time zone in which calendar days are judged (`HOSPITAL_TIME_ZONE`)."""
    now: Callable[[], datetime] = _utc_now
    """Returns the current time, timezone-aware, in UTC."""
    monotonic: Callable[[], float] = time.monotonic
    """Returns seconds that never decrease, for durations and rate limits."""

    def today(self) -> date:
        """Returns the current calendar day at the hospital."""
        return self.now().astimezone(self.zone).date()
