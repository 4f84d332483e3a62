"""Emails as the worker handles them, and the state of its queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from server.clinical.quantities import QuantityUnit
from server.outbox.entities import EmailKind


class EmailDetail(StrEnum):
    """How much an email about a prescription tells."""

    FULL = "full"
    """With diagnosis, medicines and reasons."""
    MINIMAL = "minimal"
    """Without them, but with the names of the patient, the doctor and the pharmacy."""
    CODE = "code"
    """The number of the prescription and its encrypted QR code, and nothing else about the patient."""


class AddressUnconfirmed(Exception):
    """The address gets no email about prescriptions before its owner has confirmed it."""


@dataclass(frozen=True, slots=True)
class ClaimedEmail:
    """An email that a worker processes until its lease ends."""

    id: UUID
    kind: EmailKind
    recipient_id: UUID
    recipient: str
    prescription_id: UUID | None
    details: Mapping[str, str]
    attempts: int
    """The number of delivery attempts; an unreachable mail server does not count."""
    fence: int
    """The fencing token of this claim: outcomes recorded under an older one are ignored."""
    created_at: datetime
    queued_at: datetime
    """Start of the wait; later than `created_at` when an admin put the email back into the queue."""
    claimed_at: datetime
    deferrals: int = 0
    """The number of attempts that the mail server refused temporarily."""
    sealed_code: bytes | None = None
    expires_at: datetime | None = None

    @property
    def urgent(self) -> bool:
        """True for an email with a one-time code: its recipient is waiting, so it is sent before all others."""
        return self.expires_at is not None

    @property
    def expired(self) -> bool:
        """True when its code had expired before the email was claimed."""
        return self.expires_at is not None and self.expires_at <= self.claimed_at


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The number of emails in each state, all counted at `as_of`, the database's time."""

    pending: int
    processing: int
    completed: int
    failed: int
    is_healthy: bool
    """True when a worker is alive and reaches the mail server, no due email has waited for a minute, and in the last
    hour no email failed except those whose recipient was refused or whose code had expired."""
    as_of: datetime

    @property
    def total(self) -> int:
        """The number of all emails: each is in exactly one state."""
        return self.pending + self.processing + self.completed + self.failed


@dataclass(frozen=True, slots=True)
class DispensedMedicine:
    """The dispensed quantity of one medicine, or of the product given instead of it."""

    medicine_name: str
    quantity: Decimal
    quantity_unit: QuantityUnit
    dispensed_medicine_name: str = ""
    """The name of the substitute; empty if the prescribed medicine was given."""
    substitution_reason: str = ""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A hospital or pharmacy as an email names it."""

    name: str
    phone: str
    """Empty if the organisation states none."""

    @property
    def contact(self) -> str:
        """The name, and the phone number if there is one."""
        return ", ".join(filter(None, (self.name, self.phone)))


@dataclass(frozen=True, slots=True)
class Dispense:
    """One dispense: the pharmacy, the time and the medicines."""

    pharmacy: Workplace
    occurred_at: datetime
    lines: tuple[DispensedMedicine, ...]
