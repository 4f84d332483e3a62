"""Emails as admins see them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.outbox.entities import EmailKind, EmailState


@dataclass(frozen=True, slots=True)
class ListedEmail:
    """A mail as admins see it: not what it says, nor quite to whom."""

    id: UUID
    kind: EmailKind
    recipient: str
    """Masked."""
    state: EmailState
    attempts: int
    error: str
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
