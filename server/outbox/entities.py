"""Mails as those who ask for them, send them and watch them see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EmailKind(StrEnum):
    """What a mail is about; each kind has its templates."""

    WELCOME = "welcome"
    """An account was made; `details["invited"]` is "yes" if its owner has to choose a password first. With a code that
    confirms the address, if the account registered itself where addresses are confirmed."""
    PRESCRIPTION = "prescription"
    """A prescription was written, or its mail asked for again: with its QR picture."""
    DISPENSED = "dispensed"
    """To the patient; `details["log_id"]` names the entry of the pharmacy's log."""
    REJECTED = "rejected"
    """To the patient and to the doctor, a mail each."""
    CANCELLED = "cancelled"
    """To the patient."""
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind of mail, no secret
    """A code was asked for with which a new password can be set."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of mail, no secret
    """A new password was set."""
    HISTORY_CODE = "history_code"
    """A code was asked for that opens the medical history."""
    EMAIL_CODE = "email_code"
    """To an address that an account asks for: the code that confirms it."""
    EMAIL_CHANGE = "email_change"
    """To the present address: another one was asked for."""
    ADDRESS_TAKEN = "address_taken"
    """To the owner of an address that somebody else asked for."""
    TEST = "test"
    """An admin tries the machinery; `details` hold the `event_type` that was named, and `data` as JSON."""


@dataclass(frozen=True, slots=True)
class NewEmail:
    """A mail to send: ids, from which it is rendered at the moment of sending."""

    kind: EmailKind
    recipient_id: UUID
    """The account it goes to."""
    recipient: str
    """Its address."""
    prescription_id: UUID | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    sealed_code: bytes | None = None
    """The one-time code it carries, by `CodeSeal`; stored until the mail is finished."""
    expires_at: datetime | None = None
    """From then on it is not worth sending."""


class EmailState(StrEnum):
    """How a mail stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A mail came into a state; `sequence` is the change's place in the feed."""

    sequence: int
    mail_id: UUID
    kind: EmailKind
    recipient: str
    """Masked."""
    state: EmailState
    attempts: int
    error: str
    changed_at: datetime
