"""Tests the days that filter a list, and the times at which they begin and end."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from server.date_range import Period
from server.errors import ValidationFailed

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("period", "field"),
    [
        (Period(date(2026, 2, 2), date(2026, 2, 1)), "from"),
        (Period(date(1899, 12, 31), None), "from"),
        (Period(None, date(1899, 12, 31)), "to"),
        (Period(None, date(9999, 12, 31)), "to"),
        (Period(date(2101, 1, 1), None), "from"),
    ],
)
def test_a_period_that_cannot_be_is_refused_by_its_field(period: Period, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        period.check()
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize(
    "period", [Period(), Period(date(2026, 2, 1), date(2026, 2, 1)), Period(None, date(2026, 2, 1))]
)
def test_one_day_and_open_ends_are_allowed(period: Period) -> None:
    period.check()


def test_a_day_is_that_of_the_hospital_also_when_clocks_change() -> None:
    day = Period(date(2026, 3, 29), date(2026, 3, 29))
    assert day.starts_at(BERLIN) == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert day.ends_before(BERLIN) == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_an_open_end_narrows_nothing() -> None:
    assert (Period().starts_at(BERLIN), Period().ends_before(BERLIN)) == (None, None)
