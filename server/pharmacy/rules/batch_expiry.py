"""Reads the expiry dates of batches as packages state them: a day or a month, which means its last day."""

import calendar
import re
from datetime import date
from typing import Final

_MONTH: Final = re.compile(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})|(?P<month_first>\d{1,2})[-/.](?P<year_last>\d{4})")


def read(text: str) -> date:
    """Returns the last day of use of `2028-01-31`, `2028-01` or `01/2028`. Raises ValueError for other texts."""
    found = _MONTH.fullmatch(text)
    if found is None:
        return date.fromisoformat(text)
    year = int(found["year"] or found["year_last"])
    month = int(found["month"] or found["month_first"])
    return date(year, month, 1).replace(day=calendar.monthrange(year, month)[1])
