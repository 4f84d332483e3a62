"""Who calls."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What an account is; decides which methods it may call."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    PHARMACIST = "pharmacist"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in account, as its access token states it."""

    user_id: UUID
    role: Role
    session_id: UUID


_caller: ContextVar[Caller] = ContextVar("caller")


def current_caller() -> Caller:
    """The caller of the call that runs now; LookupError outside a call that needs one."""
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """State who calls, for the rest of this call's task; done by the authentication interceptor alone."""
    _caller.set(caller)
