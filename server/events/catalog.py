"""The catalogue of events: what can happen, and what is recorded of it.

An event is recorded in the transaction of the change it tells of. It holds ids and states, no personal data.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from server.auth.entities import User
from server.clinical.entities import Prescription
from server.outbox.entities import EmailKind


class EventType(StrEnum):
    """The names of events."""

    USER_REGISTERED = "user.registered"
    PRESCRIPTION_CREATED = "prescription.created"
    PRESCRIPTION_DISPENSED = "prescription.dispensed"
    PRESCRIPTION_REJECTED = "prescription.rejected"
    PRESCRIPTION_CANCELLED = "prescription.cancelled"
    OTP_REQUESTED = "otp.requested"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an event, no secret
    TEST = "test"


class Event(ABC):
    """Something that happened."""

    __slots__ = ()
    type: ClassVar[EventType]

    @property
    @abstractmethod
    def subject_id(self) -> UUID:
        """The account or the prescription that it happened to."""

    @property
    def payload(self) -> Mapping[str, object]:
        """What changed, as JSON."""
        return {}


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


@dataclass(frozen=True, slots=True)
class PrescriptionEvent(Event):
    """Something that happened to a prescription, which is as the event left it."""

    prescription: Prescription

    @property
    def subject_id(self) -> UUID:
        """The prescription."""
        return self.prescription.id

    @property
    def payload(self) -> Mapping[str, object]:
        """The state it is in since."""
        return {"status": self.prescription.status.value}


@dataclass(frozen=True, slots=True)
class PrescriptionCreated(PrescriptionEvent):
    """A doctor wrote a prescription."""

    type = EventType.PRESCRIPTION_CREATED


@dataclass(frozen=True, slots=True)
class PrescriptionDispensed(PrescriptionEvent):
    """A pharmacy handed out a prescription or a part of it; the pharmacies' log tells what."""

    type = EventType.PRESCRIPTION_DISPENSED
    log_id: UUID

    @property
    def payload(self) -> Mapping[str, object]:
        """The state it is in since, and the entry of the log."""
        return {"status": self.prescription.status.value, "logId": str(self.log_id)}


@dataclass(frozen=True, slots=True)
class PrescriptionRejected(PrescriptionEvent):
    """A pharmacy refused a prescription."""

    type = EventType.PRESCRIPTION_REJECTED


@dataclass(frozen=True, slots=True)
class PrescriptionCancelled(PrescriptionEvent):
    """Its doctor took a prescription back."""

    type = EventType.PRESCRIPTION_CANCELLED


@dataclass(frozen=True, slots=True)
class AdminTestEvent(AccountEvent):
    """An admin tries the machinery; whatever event is named, it goes to that admin and to nobody else."""

    type = EventType.TEST
    named: str
    data: Mapping[str, str]

    @property
    def payload(self) -> Mapping[str, object]:
        """What the admin gave."""
        return {"eventType": self.named, "data": dict(self.data)}
