"""Counting no further than anybody reads."""

from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select

from server.pagination import COUNT_LIMIT


def capped_count(rows: Select[Any]) -> ScalarSelect[int]:
    """How many rows a filter finds, counted to one beyond COUNT_LIMIT; a scalar for the same statement as the page's rows."""
    found = rows.with_only_columns(func.now()).order_by(None).limit(COUNT_LIMIT + 1).subquery()
    return select(func.count()).select_from(found).scalar_subquery()
