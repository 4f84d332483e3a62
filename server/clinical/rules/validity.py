"""Rules of the validity of prescriptions that begins on a later day than that of the creation."""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.clinical.validity import LaterValidity
from server.errors import ValidationFailed

MAX_DAYS_AHEAD: Final = 365


def later_validity(valid_from: date | None, valid: timedelta, today: date, zone: ZoneInfo) -> LaterValidity | None:
    """Returns the validity that begins at midnight of a day after `today`; None for one that begins at once.

    It ends at a midnight, `valid` later on the calendar of the time zone, so that its last day counts in full, also
    when the clocks change meanwhile. Raises ValidationFailed unless the day is from today to a year ahead.
    """
    if valid_from is None or valid_from == today:
        return None
    latest = today + timedelta(days=MAX_DAYS_AHEAD)
    if not today < valid_from <= latest:
        raise ValidationFailed.of("validFrom", f"must be a date from today, {today}, to {latest}")
    starts_at = datetime.combine(valid_from, time.min, zone)
    return LaterValidity(valid_from, starts_at, starts_at + valid)  # with a time zone, `+` counts on its calendar
