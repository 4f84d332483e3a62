"""Maps events, emails and rate limits to messages, and requests to filters."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from medconnect.events.v1 import email_pb2, rate_limit_pb2
from medconnect.events.v1 import events_service_pb2 as pb

from server.api.wire import enum_pair, fill_page, timestamp
from server.mailer.entities import QueueStatus
from server.outbox.entities import EmailChange, EmailKind, EmailState
from server.pagination import Page
from server.queue_admin.entities import ListedEmail
from server.queue_admin.feed import FeedItem
from server.rate_limits.store import Bucket
from server.rate_limits.usage import LimitUsage, Usage

STATUS_NUMBERS, STATES = enum_pair(email_pb2.EmailStatus, EmailState, "EMAIL_STATUS")
KIND_NUMBERS, _ = enum_pair(email_pb2.EmailKind, EmailKind, "EMAIL_KIND")

MOST: Final = 2**31 - 1
"""The maximum of a counter in a message; JSON would encode 64-bit integers as strings."""


def get_response(status: QueueStatus) -> pb.GetEmailQueueStatusResponse:
    """Returns the response of GetEmailQueueStatus."""
    return pb.GetEmailQueueStatusResponse(**_status_fields(status))


def watch_response(status: QueueStatus) -> pb.WatchEmailQueueStatusResponse:
    """Returns a message of WatchEmailQueueStatus."""
    return pb.WatchEmailQueueStatusResponse(**_status_fields(status))


def _status_fields(status: QueueStatus) -> dict[str, Any]:
    return {
        "total_jobs": status.total,
        "pending_jobs": status.pending,
        "processing_jobs": status.processing,
        "completed_jobs": status.completed,
        "failed_jobs": status.failed,
        "is_healthy": status.is_healthy,
        "last_updated": timestamp(status.as_of),
    }


def after_sequence(request: pb.WatchEmailsRequest) -> int | None:
    """Returns the position after which a watch resumes; None starts with new events only."""
    return request.after_sequence if request.HasField("after_sequence") else None


def watch_emails_response(watched: FeedItem) -> pb.WatchEmailsResponse:
    """Returns a message of WatchEmails."""
    change = None if watched.change is None else _change(watched.change)
    return pb.WatchEmailsResponse(sequence=watched.sequence, email=change)


def states(request: pb.ListEmailsRequest) -> Sequence[EmailState]:
    """Returns the states that filter a list."""
    return [STATES[number] for number in request.status]


def list_response(page: Page[ListedEmail]) -> pb.ListEmailsResponse:
    """Returns the response of ListEmails."""
    response = pb.ListEmailsResponse(emails=map(email, page.items))
    fill_page(response, page)
    return response


def clear_response(cleared: int, moment: datetime) -> pb.ClearCompletedEmailsResponse:
    """Returns the response of ClearCompletedEmails."""
    return pb.ClearCompletedEmailsResponse(cleared_at=timestamp(moment), cleared_jobs=cleared)


def emit_response(request: pb.EmitTestEventRequest, moment: datetime) -> pb.EmitTestEventResponse:
    """Returns the response of EmitTestEvent."""
    return pb.EmitTestEventResponse(event_type=request.event_type, data=request.data, emitted_at=timestamp(moment))


def email(mail: ListedEmail) -> email_pb2.Email:
    """Returns an email as a message."""
    return email_pb2.Email(
        id=str(mail.id),
        kind=KIND_NUMBERS[mail.kind],
        recipient=mail.recipient,
        status=STATUS_NUMBERS[mail.state],
        attempts=mail.attempts,
        error=mail.error,
        created_at=timestamp(mail.created_at),
        due_at=timestamp(mail.due_at) if mail.state is EmailState.PENDING else None,
        finished_at=None if mail.finished_at is None else timestamp(mail.finished_at),
    )


def _change(change: EmailChange) -> email_pb2.EmailChange:
    return email_pb2.EmailChange(
        id=str(change.mail_id),
        kind=KIND_NUMBERS[change.kind],
        recipient=change.recipient,
        status=STATUS_NUMBERS[change.state],
        attempts=change.attempts,
        error=change.error,
        changed_at=timestamp(change.changed_at),
    )


def usage_response(usage: Usage) -> pb.GetRateLimitUsageResponse:
    """Returns the response of GetRateLimitUsage."""
    return pb.GetRateLimitUsageResponse(
        limits=map(_limit, usage.limits),
        fullest_buckets=[_bucket(bucket, usage.as_of) for bucket in usage.fullest],
        counted_since=timestamp(usage.counted_since),
    )


def _limit(usage: LimitUsage) -> rate_limit_pb2.RateLimit:
    return rate_limit_pb2.RateLimit(
        name=usage.limit.name,
        tokens=min(usage.limit.tokens, MOST),
        period_seconds=int(usage.limit.period),
        allowed=min(usage.allowed, MOST),
        refused=min(usage.refused, MOST),
    )


def _bucket(bucket: Bucket, as_of: datetime) -> rate_limit_pb2.RateLimitBucket:
    return rate_limit_pb2.RateLimitBucket(
        limit=bucket.limit.name,
        key=bucket.key,
        used_percent=round(100 * bucket.used),
        full_at=timestamp(as_of + timedelta(seconds=bucket.reset_after)),
    )
