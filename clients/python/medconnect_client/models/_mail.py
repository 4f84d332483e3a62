"""The email queue."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class EmailQueueStatus:
    """The state of the queue."""

    total_jobs: int
    """pending + processing + completed + failed."""
    pending_jobs: int
    processing_jobs: int
    completed_jobs: int
    failed_jobs: int
    is_healthy: bool
    last_updated: datetime


class EmailStatus(StrEnum):
    """The state of an email."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class Email:
    """An email in the queue, without its content."""

    id: str
    kind: str
    """The kind of email, such as `prescription`."""
    recipient: str
    """Masked: `m***@example.org`."""
    status: EmailStatus
    attempts: int
    """The number of attempts; those that did not reach the mail server do not count."""
    error: str
    """Why the last attempt failed; empty if it did not."""
    created_at: datetime
    due_at: datetime | None
    """When the next attempt is due; None unless the email is pending."""
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A change of an email's state."""

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
    """A message of the feed of emails."""

    sequence: int
    """The position in the feed; pass it as `after_sequence` to resume after this message."""
    email: EmailChange
