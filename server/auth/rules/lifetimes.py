"""Lifetimes of sessions, by role."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from server.identity import Role

MAX_SESSIONS: Final = 5
"""The maximum number of open sessions per account; one more ends the oldest."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The limits after which a session ends."""

    absolute: timedelta
    """The time after the sign-in, regardless of use."""
    idle: timedelta
    """The time after the last refresh."""


PATIENT: Final = Lifetime(absolute=timedelta(days=30), idle=timedelta(hours=24))
STAFF_ABSOLUTE: Final = timedelta(hours=12)


class Lifetimes:
    """The lifetimes of sessions by role; shorter for staff, who share their screens.

    staff_idle: how long a staff session may stay unused (`STAFF_IDLE_MINUTES`).
    """

    def __init__(self, staff_idle: timedelta) -> None:
        self._staff = Lifetime(STAFF_ABSOLUTE, staff_idle)

    def of(self, role: Role) -> Lifetime:
        """Returns the lifetime of a session of a role."""
        return PATIENT if role is Role.PATIENT else self._staff
