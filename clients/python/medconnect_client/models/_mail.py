"""The mail queue."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class EmailQueueStatus:
    """The queue's state."""

    total_jobs: int
    """pending + processing + completed + failed."""
    pending_jobs: int
    processing_jobs: int
    completed_jobs: int
    failed_jobs: int
    is_healthy: bool
    last_updated: datetime


class EmailStatus(StrEnum):
    """How a mail stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """One that this client does not know."""


@dataclass(frozen=True, slots=True)
class Email:
    """A mail in the queue, without what it says."""

    id: str
    kind: str
    """What it is about, such as `prescription`."""
    recipient: str
    """Masked: `m***@example.org`."""
    status: EmailStatus
    attempts: int
    """How often it was tried; a mail server that cannot be reached does not count."""
    error: str
    """Why the last try failed; empty if it did not."""
    created_at: datetime
    due_at: datetime | None
    """When it is tried next; only of a pending mail."""
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A change of a mail's state."""

    id: str
    kind: str
    recipient: str
    """Masked."""
    status: EmailStatus
    attempts: int
    error: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class WatchedEmail:
    """A message of the mails' feed."""

    sequence: int
    """The place in the feed: watching after it goes on behind this message."""
    email: EmailChange
