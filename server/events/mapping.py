"""The mail queue's state, and that of the rate limits, as messages."""

from datetime import datetime, timedelta
from typing import Final

from medconnect.events.v1 import events_service_pb2 as pb
from medconnect.events.v1 import rate_limit_pb2

from server.events.rate_limit_usage import LimitUsage, Usage
from server.mail.entities import QueueStatus
from server.rate_limits.store import Bucket
from server.wire import timestamp

MOST: Final = 2**31 - 1
"""What a counter on the wire holds; 64 bits would be texts in JSON."""


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


def usage_response(usage: Usage) -> pb.GetRateLimitUsageResponse:
    """The answer of GetRateLimitUsage."""
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
