"""The one place that reads the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the time; passed in wherever time matters, so that a test can stop or turn it.

    Validity, leases and expiry of stored things are judged by the database's clock instead (`now()` in the statement).
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """Where calendar days are judged (`HOSPITAL_TIME_ZONE`)."""
    now: Callable[[], datetime] = _utc_now
    """The present moment, aware, in UTC."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that only grow, for durations and rate limits."""

    def today(self) -> date:
        """The present calendar day at the hospital."""
        return self.now().astimezone(self.zone).date()
