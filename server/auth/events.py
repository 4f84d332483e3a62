"""Events of accounts. Their payloads contain ids and states, no personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.auth.entities import SignInOrigin, User
from server.events.catalog import Event, EventType
from server.outbox.entities import EmailKind


@dataclass(frozen=True, slots=True)
class AccountEvent(Event):
    """An event about an account."""

    user: User

    @property
    def subject_id(self) -> UUID:
        """The id of the account."""
        return self.user.id


@dataclass(frozen=True, slots=True)
class UserRegistered(AccountEvent):
    """An account was created; `invited`: another person created it, and its owner must set a password first."""

    type = EventType.USER_REGISTERED
    invited: bool

    @property
    def payload(self) -> Mapping[str, object]:
        """The account's role and status, and how it was created."""
        return {"role": self.user.role.value, "status": self.user.status.value, "invited": self.invited}


@dataclass(frozen=True, slots=True)
class OtpRequested(AccountEvent):
    """A one-time code was requested, to be sent in an email of the kind `mail`."""

    type = EventType.OTP_REQUESTED
    mail: EmailKind
    to: str = field(repr=False)
    """The recipient: the account's address, or one that it wants to confirm."""
    expires_at: datetime
    sealed_code: bytes = field(repr=False)
    """Encrypted by `CodeSeal`; stored with the email until that is finished, never with the event."""

    @property
    def payload(self) -> Mapping[str, object]:
        """The kind of email, and the expiry of the code."""
        return {"mail": self.mail.value, "expiresAt": self.expires_at.isoformat()}


@dataclass(frozen=True, slots=True)
class PasswordChanged(AccountEvent):
    """A new password was set."""

    type = EventType.PASSWORD_CHANGED


@dataclass(frozen=True, slots=True)
class UnfamiliarSignIn(AccountEvent):
    """A session was opened from a device or network that the account had not used recently."""

    type = EventType.UNFAMILIAR_SIGN_IN
    origin: SignInOrigin = field(repr=False)
    """Stored with the email, never with the event."""


@dataclass(frozen=True, slots=True)
class ManyPatientsRead(AccountEvent):
    """The account was shown the data of half as many patients as an hour allows; the admins are told."""

    type = EventType.MANY_PATIENTS_READ
    patients: int
    admins: tuple[User, ...] = field(repr=False)

    @property
    def payload(self) -> Mapping[str, object]:
        """The number of patients."""
        return {"patients": self.patients}


class FactorChange(StrEnum):
    """A change of an account's second factors."""

    ADDED = "added"
    REMOVED = "removed"
    RESET = "reset"
    """An admin removed all."""


@dataclass(frozen=True, slots=True)
class SecondFactorChanged(AccountEvent):
    """A second factor was added or removed."""

    type = EventType.SECOND_FACTOR_CHANGED
    change: FactorChange

    @property
    def payload(self) -> Mapping[str, object]:
        """Returns that a factor was added or removed, or that all were reset."""
        return {"change": self.change.value}


@dataclass(frozen=True, slots=True)
class StaffAccountOpened(AccountEvent):
    """A new account waits for its verification, or is an admin's."""

    type = EventType.STAFF_ACCOUNT_OPENED
    admins: tuple[User, ...] = field(repr=False)
    """The active admins, who are told by email."""

    @property
    def payload(self) -> Mapping[str, object]:
        """The account's role and status."""
        return {"role": self.user.role.value, "status": self.user.status.value}
