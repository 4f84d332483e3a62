"""Emails as the worker handles them, and the state of its queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.outbox.entities import EmailKind


@dataclass(frozen=True, slots=True)
class ClaimedEmail:
    """A mail that a worker has in hand until its lease ends."""

    id: UUID
    kind: EmailKind
    recipient_id: UUID
    recipient: str
    prescription_id: UUID | None
    details: Mapping[str, str]
    attempts: int
    """How often it was tried; an unreachable mail server does not count."""
    fence: int
    """The number of this claim: what is said of the mail under an older one is ignored."""
    created_at: datetime
    queued_at: datetime
    """Since when it waits: an admin may have put it back."""
    claimed_at: datetime
    deferrals: int = 0
    """How many of its tries the mail server refused for the moment."""
    sealed_code: bytes | None = None
    expires_at: datetime | None = None

    @property
    def urgent(self) -> bool:
        """Whether somebody sits and waits for it: it carries a code, and never stands behind mails that do not."""
        return self.expires_at is not None

    @property
    def expired(self) -> bool:
        """Whether it came too late to be sent."""
        return self.expires_at is not None and self.expires_at <= self.claimed_at


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How many mails are in each state, all counted at `as_of`, the database's time."""

    pending: int
    processing: int
    completed: int
    failed: int
    is_healthy: bool
    """A worker is alive and reaches the mail server, no due mail waits for a minute, none failed in the last hour but
    those whose recipient was refused or whose code had expired."""
    as_of: datetime

    @property
    def total(self) -> int:
        """Every mail there is: each is in exactly one state."""
        return self.pending + self.processing + self.completed + self.failed


@dataclass(frozen=True, slots=True)
class DispensedMedicine:
    """How many units of a medicine were handed out."""

    medicine_name: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Dispense:
    """What a pharmacy handed out at one time."""

    pharmacy_name: str
    occurred_at: datetime
    lines: tuple[DispensedMedicine, ...]
