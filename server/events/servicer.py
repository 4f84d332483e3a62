"""EventsService on the wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio
from medconnect.events.v1 import events_service_pb2 as pb
from medconnect.events.v1 import events_service_pb2_grpc

from server.events import mapping
from server.events.rate_limit_usage import RateLimitUsage
from server.events.service import EventsService

Context = grpc.aio.ServicerContext[Any, Any]


class EventsServicer(events_service_pb2_grpc.EventsServiceServicer):
    """The doorman of the Events slice."""

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
        async with aclosing(self._service.watch()) as states:
            async for status in states:
                yield mapping.watch_response(status)

    async def GetRateLimitUsage(
        self, request: pb.GetRateLimitUsageRequest, context: Context
    ) -> pb.GetRateLimitUsageResponse:
        return mapping.usage_response(await self._usage.read())
