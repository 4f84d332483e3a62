"""Logs why the database failed, at most once a second for each kind, and counts every failure."""

from collections.abc import Callable
from typing import Final, Protocol

import structlog

from server.db.failures import cause_in, describe, sqlstate_of

PAUSE_SECONDS: Final = 1.0
"""The shortest interval between two lines about the same kind: an outage fails hundreds of calls a second."""

_log = structlog.get_logger()


class FailureCounts(Protocol):
    """Counts failures of the database by kind."""

    def database_failed(self, kind: str, sqlstate: str) -> None:
        """Counts one failure by class and SQLSTATE."""
        ...


class FailureLog:
    """Notes every failure that calls see as DATABASE_UNAVAILABLE or SERVER_BUSY, or as an error of ours."""

    def __init__(self, counts: FailureCounts, monotonic: Callable[[], float]) -> None:
        self._counts = counts
        self._monotonic = monotonic
        self._logged: dict[tuple[str, str], float] = {}
        self._unlogged: dict[tuple[str, str], int] = {}

    def note(self, error: BaseException) -> None:
        """Counts a failure, and logs it with its cause unless one of its kind was logged a moment ago."""
        cause = cause_in(error)
        kind = type(cause).__name__, sqlstate_of(cause)
        self._counts.database_failed(*kind)
        now = self._monotonic()
        if now - self._logged.get(kind, -PAUSE_SECONDS) < PAUSE_SECONDS:
            self._unlogged[kind] = self._unlogged.get(kind, 0) + 1
            return
        self._logged[kind] = now
        _log.warning(
            "database_failed",
            cause=describe(error),
            kind=kind[0],
            sqlstate=kind[1],
            unlogged=self._unlogged.pop(kind, 0),
        )
