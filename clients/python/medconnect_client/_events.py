"""The mail queue, watched and mended by admins."""

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
        """The mail queue's state."""
        answer = await self._calls.unary(pb.GetEmailQueueStatusRequest(), pb.GetEmailQueueStatusResponse)
        return read(EmailQueueStatus, answer)

    async def watch_email_queue(self) -> AsyncIterator[EmailQueueStatus]:
        """The queue's state now, and whenever it changes; goes on when the connection breaks or the token ends."""
        watched = self._calls.watch(lambda _: pb.WatchEmailQueueStatusRequest(), pb.WatchEmailQueueStatusResponse)
        async with aclosing(watched) as messages:
            async for message in messages:
                yield read(EmailQueueStatus, message)

    async def watch_emails(self, after_sequence: int | None = None) -> AsyncIterator[WatchedEmail]:
        """Each change of a mail's state behind that place in the feed, or from now on; goes on where it stopped.

        after_sequence: the `sequence` of the last message that was seen; 0 begins with the oldest that is kept.
        """

        def request_after(last: pb.WatchEmailsResponse | None) -> pb.WatchEmailsRequest:
            return filled(pb.WatchEmailsRequest, after_sequence=after_sequence if last is None else last.sequence)

        async with aclosing(self._calls.watch(request_after, pb.WatchEmailsResponse)) as messages:
            async for message in messages:
                if message.HasField("email"):  # else a heartbeat
                    yield read(WatchedEmail, message)

    def emails(self, *, status: Collection[EmailStatus] = ()) -> AsyncIterator[Email]:
        """The mails in the queue, newest first."""
        return self._calls.listed(filled(pb.ListEmailsRequest, status=status), pb.ListEmailsResponse, Email)

    async def retry_email(self, email_id: str, *, idempotency_key: str | None = None) -> Email:
        """Put a failed mail back into the queue. Raises NotFound, EmailNotFailed, EmailExpired."""
        request = pb.RetryEmailRequest(email_id=email_id)
        return read(Email, (await self._calls.unary(request, pb.RetryEmailResponse, key=idempotency_key)).email)

    async def clear_completed_emails(self, *, idempotency_key: str | None = None) -> int:
        """Forget the mails that were sent; answers how many."""
        request = pb.ClearCompletedEmailsRequest()
        answer = await self._calls.unary(request, pb.ClearCompletedEmailsResponse, key=idempotency_key)
        return answer.cleared_jobs

    async def emit_test_event(
        self, event_type: str, data: Mapping[str, str] | None = None, *, idempotency_key: str | None = None
    ) -> datetime:
        """Try events and mails from end to end, with a mail to the caller alone; answers when it was recorded."""
        request = pb.EmitTestEventRequest(event_type=event_type, data=data)
        answer = await self._calls.unary(request, pb.EmitTestEventResponse, key=idempotency_key)
        return answer.emitted_at.ToDatetime(tzinfo=UTC)

    async def rate_limit_usage(self) -> RateLimitUsage:
        """What each rate limit allowed and refused, and which buckets are nearest to refusing. Raises Unavailable."""
        request = pb.GetRateLimitUsageRequest()
        return read(RateLimitUsage, await self._calls.unary(request, pb.GetRateLimitUsageResponse))
