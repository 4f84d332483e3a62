"""Calls of admins about the email queue and the rate limits."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

from medconnect.events.v1 import events_service_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._wire import filled, read
from medconnect_client.models import Email, EmailQueueStatus, EmailStatus, RateLimitUsage, WatchedEmail


class AsyncEvents:
    """The Events service."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def email_queue(self) -> EmailQueueStatus:
        """Gets the state of the email queue."""
        answer = await self._calls.unary(pb.GetEmailQueueStatusRequest(), pb.GetEmailQueueStatusResponse)
        return read(EmailQueueStatus, answer)

    async def watch_email_queue(self) -> AsyncIterator[EmailQueueStatus]:
        """Yields the queue's state now and whenever it changes; resumes after a broken connection or expired token."""
        watched = self._calls.watch(lambda _: pb.WatchEmailQueueStatusRequest(), pb.WatchEmailQueueStatusResponse)
        async with aclosing(watched) as messages:
            async for message in messages:
                yield read(EmailQueueStatus, message)

    async def watch_emails(self, after_sequence: int | None = None) -> AsyncIterator[WatchedEmail]:
        """Yields changes of the state of emails, from a position of the feed or from now on; resumes where it stopped.

        after_sequence: the `sequence` of the last message received; 0 starts with the oldest one stored.
        """

        def request_after(last: pb.WatchEmailsResponse | None) -> pb.WatchEmailsRequest:
            return filled(pb.WatchEmailsRequest, after_sequence=after_sequence if last is None else last.sequence)

        async with aclosing(self._calls.watch(request_after, pb.WatchEmailsResponse)) as messages:
            async for message in messages:
                if message.HasField("email"):  # otherwise it is a heartbeat
                    yield read(WatchedEmail, message)

    def emails(self, *, status: Collection[EmailStatus] = ()) -> AsyncIterator[Email]:
        """Lists the emails in the queue, newest first."""
        return self._calls.listed(filled(pb.ListEmailsRequest, status=status), pb.ListEmailsResponse, Email)

    async def retry_email(self, email_id: str, *, idempotency_key: str | None = None) -> Email:
        """Puts a failed email back into the queue. Raises NotFound, EmailNotFailed, EmailExpired."""
        request = pb.RetryEmailRequest(email_id=email_id)
        return read(Email, (await self._calls.unary(request, pb.RetryEmailResponse, key=idempotency_key)).email)

    async def clear_completed_emails(self, *, idempotency_key: str | None = None) -> int:
        """Deletes sent emails from the queue and returns their number."""
        request = pb.ClearCompletedEmailsRequest()
        answer = await self._calls.unary(request, pb.ClearCompletedEmailsResponse, key=idempotency_key)
        return answer.cleared_jobs

    async def emit_test_event(
        self, event_type: str, data: Mapping[str, str] | None = None, *, idempotency_key: str | None = None
    ) -> datetime:
        """Emits a test event, which sends an email to the caller alone; returns when it was recorded."""
        request = pb.EmitTestEventRequest(event_type=event_type, data=data)
        answer = await self._calls.unary(request, pb.EmitTestEventResponse, key=idempotency_key)
        return answer.emitted_at.ToDatetime(tzinfo=UTC)

    async def rate_limit_usage(self) -> RateLimitUsage:
        """Gets the allowed and rejected calls of each rate limit, and the fullest buckets. Raises Unavailable."""
        request = pb.GetRateLimitUsageRequest()
        return read(RateLimitUsage, await self._calls.unary(request, pb.GetRateLimitUsageResponse))
