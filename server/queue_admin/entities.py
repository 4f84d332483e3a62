"""The view of emails for admins."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.outbox.entities import EmailKind, EmailState


@dataclass(frozen=True, slots=True)
class ListedEmail:
    """An email as admins see it: without its contents, and with a masked recipient."""

    id: UUID
    kind: EmailKind
    recipient: str
    """The masked address."""
    state: EmailState
    attempts: int
    error: str
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
