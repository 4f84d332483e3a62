"""Events of accounts. They hold ids and states, no personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from server.auth.entities import User
from server.events.catalog import Event, EventType
from server.outbox.entities import EmailKind


@dataclass(frozen=True, slots=True)
class AccountEvent(Event):
    """Something that happened to an account."""

    user: User

    @property
    def subject_id(self) -> UUID:
        """The account."""
        return self.user.id


@dataclass(frozen=True, slots=True)
class UserRegistered(AccountEvent):
    """An account was made; `invited` by somebody else: its owner has to choose a password first."""

    type = EventType.USER_REGISTERED
    invited: bool

    @property
    def payload(self) -> Mapping[str, object]:
        """As what, and how."""
        return {"role": self.user.role.value, "status": self.user.status.value, "invited": self.invited}


@dataclass(frozen=True, slots=True)
class OtpRequested(AccountEvent):
    """A one-time code was asked for, to be sent in a mail of that kind."""

    type = EventType.OTP_REQUESTED
    mail: EmailKind
    to: str = field(repr=False)
    """The address: the account's, or one that it asks for."""
    expires_at: datetime
    sealed_code: bytes = field(repr=False)
    """By `CodeSeal`; the mail keeps it until it is finished, the event never does."""

    @property
    def payload(self) -> Mapping[str, object]:
        """What for, and until when it is good."""
        return {"mail": self.mail.value, "expiresAt": self.expires_at.isoformat()}


@dataclass(frozen=True, slots=True)
class PasswordChanged(AccountEvent):
    """A new password was set."""

    type = EventType.PASSWORD_CHANGED
