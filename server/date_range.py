"""The range of days that filters a list."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.errors import ValidationFailed

EARLIEST_DATE: Final = date(1900, 1, 1)
LATEST_DATE: Final = date(2100, 12, 31)
"""The bounds of a filter; no stored date lies outside them."""


@dataclass(frozen=True, slots=True)
class Period:
    """A range of days, both ends included; None leaves that end open."""

    first: date | None = None
    last: date | None = None

    def check(self) -> None:
        """Raises ValidationFailed unless both days lie between 1900 and 2100 and the first is not after the last."""
        for field, day in (("from", self.first), ("to", self.last)):
            if day is not None and not EARLIEST_DATE <= day <= LATEST_DATE:
                raise ValidationFailed.of(field, "must be a date between 1900-01-01 and 2100-12-31")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValidationFailed.of("from", "must not be after `to`")

    def starts_at(self, zone: ZoneInfo) -> datetime | None:
        """Returns the moment at which the first day begins in this time zone."""
        return None if self.first is None else datetime.combine(self.first, time.min, zone)

    def ends_before(self, zone: ZoneInfo) -> datetime | None:
        """Returns the moment at which the day after the last one begins in this time zone."""
        return None if self.last is None else datetime.combine(self.last + timedelta(days=1), time.min, zone)
