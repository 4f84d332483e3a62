"""Reports to load balancers and the edge whether this process can serve calls."""

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
"""The seconds between two checks while the database does not answer, because callers wait for it to recover."""
CHECK_SECONDS: Final = 4.5
SERVING: Final[int] = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = health_pb2.HealthCheckResponse.NOT_SERVING
PARTS: Final = (AUDIT, WORK)
"""The parts reported in addition to the whole; their failure does not stop care, so load balancers ignore it."""

_log = structlog.get_logger()


class HealthServicer(health.aio.HealthServicer):
    """The standard health service, with the `List` method that grpcio lacks."""

    async def List(self, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:  # noqa: N802
        """Returns the state of the whole process, and of each reported part."""
        names = ("", *PARTS)
        states = {name: await self.Check(health_pb2.HealthCheckRequest(service=name), context) for name in names}
        answer: Message = health_pb2.HealthListResponse(statuses=states)  # type: ignore[attr-defined]
        return answer


class Health:
    """Sets the state of the standard gRPC health service: serving while the database answers and nothing drains.

    ping: checks that the database answers; raises Unavailable if it does not.
    """

    def __init__(self, ping: Callable[[], Awaitable[None]]) -> None:
        self.servicer = HealthServicer()
        self._ping = ping
        self._draining = False

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Checks now and every five seconds, more often while there is no answer, until the block is left."""
        for part in PARTS:
            await self.report(part, works=True)
        async with background.running(self._watch(await self._check())):
            yield

    async def report(self, part: str, works: bool) -> None:
        """Sets the state of one of PARTS."""
        await self.servicer.set(part, SERVING if works else NOT_SERVING)

    async def drain(self) -> None:
        """Reports NOT_SERVING from now on, so that no new calls arrive."""
        self._draining = True
        await self.servicer.set("", NOT_SERVING)

    async def _watch(self, serving: bool) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS if serving else RECOVERY_SECONDS)
            serving = await self._check()

    async def _check(self) -> bool:
        """Checks the database, sets the state, and returns whether the database answered."""
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
