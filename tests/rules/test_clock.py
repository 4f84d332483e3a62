"""Tests the clock and the calendar day that belongs to its time."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from server.clock import Clock

NEW_YEAR = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)


def test_now_is_the_present_moment_in_utc() -> None:
    now = Clock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now.timestamp() - time.time()) < 1


def test_monotonic_only_grows() -> None:
    clock = Clock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", date(2026, 12, 31)),
        ("Europe/Berlin", date(2027, 1, 1)),
        ("America/Los_Angeles", date(2026, 12, 31)),
        ("Pacific/Kiritimati", date(2027, 1, 1)),
    ],
)
def test_today_is_the_hospitals_day(zone: str, day: date) -> None:
    assert replace(Clock(ZoneInfo(zone)), now=lambda: NEW_YEAR).today() == day
