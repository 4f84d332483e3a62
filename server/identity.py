"""The caller of the current call: account, role, session and client address."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """The kind of an account; it decides which methods the account may call."""

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
    organisation_id: UUID | None = None
    """The hospital or pharmacy for which the session acts; None if the account is a member of none."""
    account: str = field(init=False, compare=False, repr=False)
    """The account's id as text: the log and the rate limits of every call need it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "account", str(self.user_id))


_caller: ContextVar[Caller] = ContextVar("caller")
_address: ContextVar[str] = ContextVar("address", default="")


def current_caller() -> Caller:
    """Returns the caller of the current call. Raises LookupError outside a call that needs a caller."""
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """Sets the caller for the rest of the call's task; only two interceptors, authentication and access, call this."""
    _caller.set(caller)


def current_address() -> str:
    """Returns the client address of the current call, as rate limits count it; empty outside a call."""
    return _address.get()


def set_address(address: str) -> None:
    """Sets the client address for the rest of the call's task; only the client-address interceptor calls this."""
    _address.set(address)
