"""The mail queue, watched by admins."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from medconnect.events.v1 import events_service_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._wire import read
from medconnect_client.models import EmailQueueStatus, RateLimitUsage


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

    async def rate_limit_usage(self) -> RateLimitUsage:
        """What each rate limit allowed and refused, and which buckets are nearest to refusing. Raises Unavailable."""
        request = pb.GetRateLimitUsageRequest()
        return read(RateLimitUsage, await self._calls.unary(request, pb.GetRateLimitUsageResponse))
