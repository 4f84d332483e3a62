"""Domain events. Each is recorded in the transaction of its change."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar
from uuid import UUID


class EventType(StrEnum):
    """The names of event types."""

    USER_REGISTERED = "user.registered"
    PRESCRIPTION_CREATED = "prescription.created"
    PRESCRIPTION_DISPENSED = "prescription.dispensed"
    PRESCRIPTION_REJECTED = "prescription.rejected"
    PRESCRIPTION_CLOSED = "prescription.closed"
    PRESCRIPTION_CANCELLED = "prescription.cancelled"
    PRESCRIPTION_SUSPENDED = "prescription.suspended"
    PRESCRIPTION_RESUMED = "prescription.resumed"
    OTP_REQUESTED = "otp.requested"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an event, no secret
    UNFAMILIAR_SIGN_IN = "sign_in.unfamiliar"
    STAFF_ACCOUNT_OPENED = "staff_account.opened"
    SECOND_FACTOR_CHANGED = "second_factor.changed"
    MANY_PATIENTS_READ = "patients.many_read"
    TEST = "test"


class Event(ABC):
    """A domain event: a change that a use case made."""

    __slots__ = ()
    type: ClassVar[EventType]

    @property
    @abstractmethod
    def subject_id(self) -> UUID:
        """The id of the account or prescription that changed."""

    @property
    def payload(self) -> Mapping[str, object]:
        """The changed values, as JSON."""
        return {}
