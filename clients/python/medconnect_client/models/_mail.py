"""The mail queue."""

from dataclasses import dataclass
from datetime import datetime


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
