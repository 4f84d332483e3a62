"""The gRPC servicer of EventsService."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio
from medconnect.events.v1 import events_service_pb2 as pb
from medconnect.events.v1 import events_service_pb2_grpc

from server.api.events import mapping
from server.api.wire import page_request, read_uuid
from server.identity import current_caller
from server.queue_admin.service import EventsService
from server.rate_limits.usage import RateLimitUsage

Context = grpc.aio.ServicerContext[Any, Any]


class EventsServicer(events_service_pb2_grpc.EventsServiceServicer):
    """Maps each call to the services and their results to responses."""

    def __init__(self, service: EventsService, usage: RateLimitUsage) -> None:
        self._service = service
        self._usage = usage

    async def GetEmailQueueStatus(
        self, request: pb.GetEmailQueueStatusRequest, context: Context
    ) -> pb.GetEmailQueueStatusResponse:
        return mapping.get_response(await self._service.status())

    async def WatchEmailQueueStatus(
        self, request: pb.WatchEmailQueueStatusRequest, context: Context
    ) -> AsyncIterator[pb.WatchEmailQueueStatusResponse]:
        async with aclosing(self._service.watch_status()) as states:
            async for status in states:
                yield mapping.watch_response(status)

    async def WatchEmails(
        self, request: pb.WatchEmailsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEmailsResponse]:
        async with aclosing(self._service.watch_emails(mapping.after_sequence(request))) as changes:
            async for watched in changes:
                yield mapping.watch_emails_response(watched)

    async def ListEmails(self, request: pb.ListEmailsRequest, context: Context) -> pb.ListEmailsResponse:
        states, page = mapping.states(request), page_request(request)
        return mapping.list_response(await self._service.list_emails(current_caller(), states, page))

    async def RetryEmail(self, request: pb.RetryEmailRequest, context: Context) -> pb.RetryEmailResponse:
        mail = await self._service.retry(read_uuid(request.email_id))
        return pb.RetryEmailResponse(email=mapping.email(mail))

    async def ClearCompletedEmails(
        self, request: pb.ClearCompletedEmailsRequest, context: Context
    ) -> pb.ClearCompletedEmailsResponse:
        return mapping.clear_response(*await self._service.clear_completed())

    async def EmitTestEvent(self, request: pb.EmitTestEventRequest, context: Context) -> pb.EmitTestEventResponse:
        emitted_at = await self._service.emit_test(current_caller(), request.event_type, request.data)
        return mapping.emit_response(request, emitted_at)

    async def GetRateLimitUsage(
        self, request: pb.GetRateLimitUsageRequest, context: Context
    ) -> pb.GetRateLimitUsageResponse:
        return mapping.usage_response(await self._usage.read())
