"""Reports to load balancers and the edge whether this process can serve calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2

from server import background
from server.api.health_probe import LIVENESS
from server.errors import ServerBusy
from server.liveness.readiness import cause_of
from server.liveness.service import AUDIT, WORK

INTERVAL_SECONDS: Final = 5.0
RECOVERY_SECONDS: Final = 0.5
"""The seconds between two checks while the process is not ready, because callers wait for it to recover."""
CHECK_SECONDS: Final = 3.0
"""The time for one check; with the interval, a frozen database is noticed within 8 s."""
SERVING: Final[int] = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = health_pb2.HealthCheckResponse.NOT_SERVING
PARTS: Final = (AUDIT, WORK)
"""The parts reported in addition to the whole; their failure does not stop care, so load balancers ignore it."""

_log = structlog.get_logger()


class HealthServicer(health.aio.HealthServicer):
    """The standard health service, with the `List` method that grpcio lacks."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    async def List(self, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:  # noqa: N802
        """Returns the state of the whole process, and of each service and part."""
        states = {name: await self.Check(health_pb2.HealthCheckRequest(service=name), context) for name in self._names}
        answer: Message = health_pb2.HealthListResponse(statuses=states)  # type: ignore[attr-defined]
        return answer


class Health:
    """Sets the state of the standard gRPC health service: serving while calls can succeed and nothing drains.

    check: raises any error if calls would fail; ServerBusy says nothing either way. services: the names of the gRPC
    services, which share the state of the whole. changed: called with the state after each check.
    """

    def __init__(
        self,
        check: Callable[[], Awaitable[None]],
        services: Sequence[str] = (),
        changed: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._whole = ("", *services)
        self.servicer = HealthServicer((*self._whole, *PARTS, LIVENESS))
        self._ready = check
        self._changed = changed
        self._draining = False
        self._fault: str | None = "not checked yet"
        self._down_since: float | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Checks now and every five seconds, more often while the process is not ready, until the block is left."""
        await self.servicer.set(LIVENESS, SERVING)
        for part in PARTS:
            await self.report(part, works=True)
        await self._check()
        async with background.running(self._watch()):
            yield

    async def report(self, part: str, works: bool) -> None:
        """Sets the state of one of PARTS."""
        await self.servicer.set(part, SERVING if works else NOT_SERVING)

    async def drain(self) -> None:
        """Reports NOT_SERVING from now on, so that no new calls arrive."""
        self._draining = True
        await self._set_whole(NOT_SERVING)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS if self._fault is None else RECOVERY_SECONDS)
            await self._check()

    async def _check(self) -> None:
        """Checks once and sets the state. Raises nothing: a watch that has ended would freeze the state."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._ready()
        except ServerBusy:
            pass
        except TimeoutError:
            self._note(f"the database did not answer within {CHECK_SECONDS:.0f} s")
        except Exception as error:
            self._note(cause_of(error))
        else:
            self._note(None)
        if not self._draining:
            await self._set_whole(SERVING if self._fault is None else NOT_SERVING)

    def _note(self, fault: str | None) -> None:
        """Logs each change of the state, and each change of the reason."""
        now = asyncio.get_running_loop().time()
        if fault is not None:
            if fault != self._fault:
                _log.error("not_ready", reason=f"not ready: {fault}")
            self._down_since = self._down_since or now
        elif self._down_since is not None:
            seconds = now - self._down_since
            _log.warning("ready_again", reason=f"ready again after {seconds:.1f} s", seconds=round(seconds, 1))
            self._down_since = None
        self._fault = fault
        self._changed(fault is None)

    async def _set_whole(self, state: int) -> None:
        for name in self._whole:
            await self.servicer.set(name, state)
