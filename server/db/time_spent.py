"""Measures how long a call waits for the database: for a connection of the pool, and for its statements."""

from contextvars import ContextVar
from time import perf_counter
from typing import Final

now: Final = perf_counter
"""The clock of these measurements, in seconds."""


class TimeSpent:
    """The seconds that one call has spent so far."""

    __slots__ = ("in_pool", "in_sql")

    def __init__(self) -> None:
        self.in_pool = 0.0
        self.in_sql = 0.0


_current: ContextVar[TimeSpent | None] = ContextVar("time_spent", default=None)


def measure() -> TimeSpent:
    """Returns what the current task, and tasks that it starts, spend from now on."""
    spent = TimeSpent()
    _current.set(spent)
    return spent


def add_pool(since: float) -> None:
    """Adds the time since then to the current call's wait for a connection, if a call is measured."""
    spent = _current.get()
    if spent is not None:
        spent.in_pool += now() - since


def add_sql(since: float) -> None:
    """Adds the time since then to the current call's statements, if a call is measured."""
    spent = _current.get()
    if spent is not None:
        spent.in_sql += now() - since
