"""Emails of the outbox, and their changes of state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EmailKind(StrEnum):
    """The subject matter of an email; each kind has its templates."""

    WELCOME = "welcome"
    """An account was created; `details["invited"]` is "yes" if its owner must choose a password first. With email
    confirmation on, a self-registered account gets a code that confirms its address."""
    PRESCRIPTION = "prescription"
    """A prescription was created, or its email requested again; contains the QR code as a picture."""
    DISPENSED = "dispensed"
    """Sent to the patient; `details["log_id"]` names the entry of the pharmacy's log."""
    REJECTED = "rejected"
    """Sent to the patient and, separately, to the doctor."""
    CLOSED = "closed"
    """Sent to the patient and, separately, to the doctor."""
    CANCELLED = "cancelled"
    """Sent to the patient."""
    SUSPENDED = "suspended"
    """Sent to the patient."""
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind of email, no secret
    """A code for setting a new password was requested."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of email, no secret
    """A new password was set."""
    HISTORY_CODE = "history_code"
    """A code that opens the medical history was requested."""
    EMAIL_CODE = "email_code"
    """The code that confirms a new address, sent to that address."""
    EMAIL_CHANGE = "email_change"
    """A new address was requested; sent to the current one."""
    ADDRESS_TAKEN = "address_taken"
    """Another account requested this address; sent to its owner."""
    SECOND_FACTOR = "second_factor"
    """A second factor was added or removed; `details["change"]` is a `FactorChange`."""
    NEW_SIGN_IN = "new_sign_in"
    """A session was opened from an unfamiliar device or network; `details` hold its `device` and `address`."""
    STAFF_ACCOUNT = "staff_account"
    """A new account waits for its verification, or is an admin's; sent to admins. `details` hold `role` and
    `status`."""
    EMAIL_REPLACED = "email_replaced"
    """The account's owner replaced the address; sent to the former one, with the token that undoes the change."""
    EMAIL_DETACHMENT = "email_detachment"
    """Staff requested to detach the address from a patient record; sent to the address."""
    PATIENT_READS = "patient_reads"
    """An account was shown the data of many patients; sent to the admins. `details` hold its id as `reader_id`, and the
    number of `patients`."""
    TEST = "test"
    """An admin emitted a test event; `details` hold its `event_type`, and its `data` as JSON."""


@dataclass(frozen=True, slots=True)
class NewEmail:
    """An email to send: the ids from which it is rendered when it is sent."""

    kind: EmailKind
    recipient_id: UUID
    """The recipient's account."""
    recipient: str
    """The recipient's address."""
    prescription_id: UUID | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    sealed_code: bytes | None = None
    """The one-time code in the email, sealed by `CodeSeal`; stored until the email is finished."""
    expires_at: datetime | None = None
    """The expiry of the code; the email is not sent after it."""


class EmailState(StrEnum):
    """The delivery state of an email."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EmailChange:
    """An email changed to a state; `sequence` is the change's position in the feed."""

    sequence: int
    mail_id: UUID
    kind: EmailKind
    recipient: str
    """The masked address."""
    state: EmailState
    attempts: int
    error: str
    changed_at: datetime
