"""Accounts and sessions as the rules and services see them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.audit.occasion import Subject
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
class PresentedToken:
    """A refresh token that somebody presents, judged by the database's time."""

    session_id: UUID
    user: User
    session_open: bool
    """Neither revoked nor past its absolute end."""
    used: bool
    idle_too_long: bool
    """The time in which it had to be used is over."""
    repeatable: bool
    """Used a moment ago, and its successor has not been used: the reply may have been lost."""
