"""The mail queue's state as messages."""

from medconnect.events.v1 import events_service_pb2 as pb

from server.mail.entities import QueueStatus
from server.wire import timestamp


def get_response(status: QueueStatus) -> pb.GetEmailQueueStatusResponse:
    """The answer of GetEmailQueueStatus."""
    return pb.GetEmailQueueStatusResponse(
        total_jobs=status.total,
        pending_jobs=status.pending,
        processing_jobs=status.processing,
        completed_jobs=status.completed,
        failed_jobs=status.failed,
        is_healthy=status.is_healthy,
        last_updated=timestamp(status.as_of),
    )


def watch_response(status: QueueStatus) -> pb.WatchEmailQueueStatusResponse:
    """A message of WatchEmailQueueStatus."""
    return pb.WatchEmailQueueStatusResponse(
        total_jobs=status.total,
        pending_jobs=status.pending,
        processing_jobs=status.processing,
        completed_jobs=status.completed,
        failed_jobs=status.failed,
        is_healthy=status.is_healthy,
        last_updated=timestamp(status.as_of),
    )
