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
_address: ContextVar[str] = ContextVar("address", default="")


def current_caller() -> Caller:
    """The caller of the call that runs now; LookupError outside a call that needs one."""
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """State who calls, for the rest of this call's task; done by the authentication interceptor alone."""
    _caller.set(caller)


def current_address() -> str:
    """Whence the call comes that runs now, as limits count it; empty outside a call."""
    return _address.get()


def set_address(address: str) -> None:
    """State whence the call comes, for the rest of its task; done by the client-address interceptor alone."""
    _address.set(address)
