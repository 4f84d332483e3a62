"""Accounts and sessions as the rules and services see them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.audit.audit_context import Subject
from server.identity import Role
from server.patient_details import PatientDetails, PatientRecord


class UserStatus(StrEnum):
    """Whether an account may act."""

    ACTIVE = "active"
    UNVERIFIED = "unverified"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class User:
    """An account, without its password."""

    id: UUID
    email: str
    """Its own address, or as long as it has none the one that waits for its code."""
    email_confirmed: bool
    """Whether the address is its own: nobody else has it, and one can sign in with it."""
    new_email: str
    """The address that waits for its code; empty if none does."""
    full_name: str
    phone: str
    role: Role
    status: UserStatus
    license_number: str
    specialization: str
    hospital_name: str
    pharmacy_name: str
    pharmacy_address: str
    created_at: datetime

    @property
    def sign_in_name(self) -> str:
        """What wrong passwords are counted under: an address that is not its own may be somebody else's."""
        return self.email if self.email_confirmed else str(self.id)

    @property
    def subject(self) -> Subject:
        """What the audit says that an action on it is about."""
        return Subject("account", self.id)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with what its password is checked against."""

    user: User
    password_hash: str | None
    """None: its owner has not set a password yet, so nobody can sign in."""


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody asks an account with; texts are empty where nothing was given."""

    email: str
    password: str | None
    full_name: str
    phone: str
    role: Role
    license_number: str
    specialization: str
    hospital_name: str
    pharmacy_name: str
    pharmacy_address: str
    patient: PatientDetails
    """Only a patient's application may fill it."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be stored; what does not belong to its role is empty."""

    email: str
    """In lower case."""
    password_hash: str | None
    """None: the owner sets a password through the welcome mail."""
    full_name: str
    phone: str
    role: Role
    status: UserStatus
    license_number: str = ""
    specialization: str = ""
    hospital_name: str = ""
    pharmacy_name: str = ""
    pharmacy_address: str = ""
    email_confirmed: bool = True
    """False: the address is only asked for, and waits for its code."""


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What a holder asks to change in his account: None and the names that are not in `clear` stay as they are."""

    phone: str | None = None
    hospital_name: str | None = None
    pharmacy_name: str | None = None
    pharmacy_address: str | None = None
    email: str | None = None
    """Needs `current_password`."""
    current_password: str = field(default="", repr=False)
    clear: frozenset[str] = frozenset()
    """Fields to empty, by their JSON names."""


@dataclass(frozen=True, slots=True)
class OpenedAccount:
    """A new account, and the record that came with it if it is a patient's."""

    user: User
    patient: PatientRecord | None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which accounts are listed; None takes all."""

    role: Role | None
    status: UserStatus | None
    search: str | None
    """An e-mail address, or words that begin words of the name."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a refresh hands out."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    """When the access token ends."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account and the tokens that act for it."""

    user: User
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """What the account of a session may do that has not ended."""

    status: UserStatus
    email_confirmed: bool


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token that somebody presents, judged by the database's time."""

    session_id: UUID
    user: User
    session_ends: datetime
    """The absolute end of the session."""
    session_open: bool
    """Neither revoked nor past its absolute end."""
    used: bool
    idle_too_long: bool
    """The time in which it had to be used is over."""
    repeatable: bool
    """Used a moment ago, and its successor has not been used: the reply may have been lost."""
