"""How long sessions last."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from server.identity import Role

MAX_SESSIONS: Final = 5
"""Open sessions per account; one more ends the oldest."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a session ends."""

    absolute: timedelta
    """After its sign-in, whatever happens."""
    idle: timedelta
    """After its last refresh."""


PATIENT: Final = Lifetime(absolute=timedelta(days=30), idle=timedelta(hours=24))
STAFF_ABSOLUTE: Final = timedelta(hours=12)


class Lifetimes:
    """How long sessions last, by role: staff share their screens, patients do not.

    staff_idle: how long a session of staff may lie unused (`STAFF_IDLE_MINUTES`).
    """

    def __init__(self, staff_idle: timedelta) -> None:
        self._staff = Lifetime(STAFF_ABSOLUTE, staff_idle)

    def of(self, role: Role) -> Lifetime:
        """The lifetime of a session of that role."""
        return PATIENT if role is Role.PATIENT else self._staff
