"""Tells load balancers and the edge whether this process can do its work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2

from server import background
from server.errors import Unavailable
from server.liveness.service import AUDIT, WORK

INTERVAL_SECONDS: Final = 5.0
RECOVERY_SECONDS: Final = 0.5
"""Between two checks while the database does not answer: callers wait for that to end."""
CHECK_SECONDS: Final = 4.5
SERVING: Final[int] = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = health_pb2.HealthCheckResponse.NOT_SERVING
PARTS: Final = (AUDIT, WORK)
"""What is reported beside the whole: it fails without stopping care, so load balancers do not act on it."""

_log = structlog.get_logger()


class HealthServicer(health.aio.HealthServicer):
    """The standard service, with the `List` that grpcio leaves out."""

    async def List(self, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:  # noqa: N802
        """Returns the state of the whole process, and of each part that is reported."""
        names = ("", *PARTS)
        states = {name: await self.Check(health_pb2.HealthCheckRequest(service=name), context) for name in names}
        answer: Message = health_pb2.HealthListResponse(statuses=states)  # type: ignore[attr-defined]
        return answer


class Health:
    """Sets the standard gRPC health service's answer: serving while the database answers and nobody drains.

    ping: asks the database for a sign of life, raises Unavailable without one.
    """

    def __init__(self, ping: Callable[[], Awaitable[None]]) -> None:
        self.servicer = HealthServicer()
        self._ping = ping
        self._draining = False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Checks now and every five seconds, more often without an answer, until the block is left."""
        for part in PARTS:
            await self.report(part, works=True)
        async with background.running(self._watch(await self._check())):
            yield

    async def report(self, part: str, works: bool) -> None:
        """Sets the state of one of PARTS."""
        await self.servicer.set(part, SERVING if works else NOT_SERVING)

    async def drain(self) -> None:
        """Answer NOT_SERVING from now on: no new calls shall come."""
        self._draining = True
        await self.servicer.set("", NOT_SERVING)

    async def _watch(self, serving: bool) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS if serving else RECOVERY_SECONDS)
            serving = await self._check()

    async def _check(self) -> bool:
        """Asks the database, sets the answer, and returns whether there was a sign of life."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._ping()
        except (TimeoutError, Unavailable) as error:
            _log.warning("database_unavailable", error=type(error).__name__)
            await self._set(NOT_SERVING)
            return False
        await self._set(SERVING)
        return True

    async def _set(self, state: int) -> None:
        if not self._draining:
            await self.servicer.set("", state)
