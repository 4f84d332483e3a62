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


_PATIENT: Final = Lifetime(absolute=timedelta(days=30), idle=timedelta(hours=24))
_STAFF: Final = Lifetime(absolute=timedelta(hours=12), idle=timedelta(minutes=30))


def lifetime(role: Role) -> Lifetime:
    """How long a session of that role lasts: staff share their screens, patients do not."""
    return _PATIENT if role is Role.PATIENT else _STAFF
