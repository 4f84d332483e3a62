"""A toy service behind the server's own chain: its unary and its streaming method do as the test configures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from medconnect.clinical.v1 import clinical_service_pb2
from medconnect.events.v1 import events_service_pb2 as pb
from medconnect.events.v1 import events_service_pb2_grpc
from medconnect.pharmacy.v1 import pharmacy_service_pb2

from server.api.events.servicer import EventsServicer
from server.api.interceptors.contract import Method
from server.api.listening import OPTIONS
from server.auth.services.factor_gate import FactorGate
from server.auth.services.revocation_cache import RevocationCache
from server.auth.tokens.access_tokens import AccessTokens
from server.auth.tokens.keys import KeyRing
from server.db.unit_of_work import UnitOfWork
from server.identity import Role
from server.metrics import Metrics
from server.rate_limits.budgets import Budgets
from server.rate_limits.rate_limiter import RateLimiter
from server.rate_limits.store import BucketStore, MemoryStore
from server.runtime import server as app
from tests.fixtures.auth import OFFERED
from tests.fixtures.clock import FAR, SettableClock
from tests.fixtures.users import a_user

SERVICE = "/medconnect.events.v1.EventsService"
PATHS = {"unary": f"{SERVICE}/GetEmailQueueStatus", "stream": f"{SERVICE}/WatchEmailQueueStatus"}
FACES = pytest.mark.parametrize("face", PATHS)
"""Runs a test with the unary and the streaming method."""

BODY = pharmacy_service_pb2.ScanQrCodeRequest(qr_code="MC1.k1.abc").SerializeToString()
MALFORMED = b"\x0a\xff"
EDGE = (("x-envoy-original-path", "/api/v1/probe"), ("x-client-ip", "203.0.113.7"))
"""The metadata that the edge adds to a REST call."""

Metadata = Sequence[tuple[str, str | bytes]]
Context = grpc.aio.ServicerContext[Any, Any]


async def nothing() -> None:
    """Succeeds at once."""


class Probe(EventsServicer):
    """Runs `act` and returns 7, or runs it before each of the messages 1, 2, 3 of the stream.

    `requests` holds the requests that arrived, `messages` is the stream's length.
    """

    def __init__(self) -> None:
        self.act: Callable[[], Awaitable[None]] = nothing
        self.requests: list[Message] = []
        self.messages = 3
        self.closed_streams = 0

    async def GetEmailQueueStatus(self, request: Any, context: Context) -> pb.GetEmailQueueStatusResponse:
        self.requests.append(request)
        await self.act()
        return pb.GetEmailQueueStatusResponse(total_jobs=7)

    async def GetRateLimitUsage(self, request: Any, context: Context) -> pb.GetRateLimitUsageResponse:
        raise NotImplementedError  # The table of methods does not contain it.

    async def WatchEmailQueueStatus(
        self, request: Any, context: Context
    ) -> AsyncIterator[pb.WatchEmailQueueStatusResponse]:
        self.requests.append(request)
        try:
            for number in range(1, self.messages + 1):
                await self.act()
                yield pb.WatchEmailQueueStatusResponse(total_jobs=number)
        finally:
            self.closed_streams += 1


@dataclass
class Answer:
    """The outcome of a call with everything that it returned."""

    code: grpc.StatusCode
    message: str
    bodies: list[bytes]
    initial: Mapping[str, str]
    trailing: Mapping[str, str]
    details: dict[str, Any] = field(default_factory=dict)
    """Returns the messages of the rich status, by their names."""

    @property
    def reason(self) -> str:
        """Returns the reason of a rejection."""
        return str(self.details["ErrorInfo"].reason)

    @property
    def headers(self) -> Mapping[str, str]:
        """Returns initial and trailing metadata together."""
        return {**self.initial, **self.trailing}


def answer(bodies: list[bytes], code: Any, message: str | None, initial: Any, trailing: Any) -> Answer:
    """Builds a reply; the rich status is taken out of the trailing metadata."""
    rest = dict(trailing or ())
    details = {}
    if (packed := rest.pop("grpc-status-details-bin", None)) is not None:
        for detail in status_pb2.Status.FromString(packed).details:
            name = detail.TypeName().rpartition(".")[2]
            details[name] = getattr(error_details_pb2, name)()
            detail.Unpack(details[name])
    return Answer(code, message or "", bodies, dict(initial or ()), rest, details)


@dataclass
class House:
    """A running server with the probe in it, and ways to call it."""

    probe: Probe
    methods: dict[str, Method]
    tokens: AccessTokens
    revocations: RevocationCache
    clock: SettableClock
    limiter: RateLimiter
    metrics: Metrics
    edge: grpc.aio.Channel
    """The channel over the Unix socket."""
    direct: grpc.aio.Channel
    """The channel over TCP."""
    port: int
    """The TCP address of the server."""
    stopping: asyncio.Event
    """An event that ends the streams when it is set."""

    def declare(self, **changes: Any) -> None:
        """Changes the contract's options of both methods, before their first call."""
        for path, method in self.methods.items():
            self.methods[path] = replace(method, **changes)

    def bearer(self, role: Role = Role.ADMIN, user_id: UUID | None = None) -> tuple[tuple[str, str]]:
        """Returns the metadata of a signed-in caller."""
        token, _ = self.tokens.issue(a_user(role, id=user_id or uuid4()), uuid4(), FAR)
        return (("authorization", f"Bearer {token}"),)

    async def call(
        self,
        face: str,
        metadata: Metadata = (),
        body: bytes = BODY,
        *,
        seconds: float | None = None,
        channel: grpc.aio.Channel | None = None,
    ) -> Answer:
        """Calls the unary or the streaming method, or any path, with a raw body."""
        path = PATHS.get(face, face)
        through: Any = channel or self.direct  # The stubs require serializers, but raw bytes need none.
        if face == "stream":
            return await _read_stream(through.unary_stream(path)(body, metadata=metadata, timeout=seconds))
        unary = through.unary_unary(path)(body, metadata=metadata, timeout=seconds)
        try:
            bodies = [await unary]
        except grpc.aio.AioRpcError as error:
            return answer([], error.code(), error.details(), error.initial_metadata(), error.trailing_metadata())
        return answer(bodies, grpc.StatusCode.OK, "", await unary.initial_metadata(), await unary.trailing_metadata())


async def _read_stream(call: Any) -> Answer:
    bodies = []
    try:
        async for body in call:
            bodies.append(body)  # noqa: PERF401 - what came before an error is kept
    except grpc.aio.AioRpcError:
        pass
    ends = await call.initial_metadata(), await call.trailing_metadata()
    return answer(bodies, await call.code(), await call.details(), *ends)


def _methods() -> dict[str, Method]:
    method = Method(
        path="",
        request_type=pharmacy_service_pb2.ScanQrCodeRequest,
        streaming=False,
        public=False,
        roles=frozenset({Role.ADMIN, Role.DOCTOR}),
        for_roles=False,
        verified=False,
        limit_group="",
        idempotent=False,
        message="Probe's „answer“",
        http_status=200,
        audit=None,
        step_up=False,
        subject_field="",
    )
    methods = {path: replace(method, path=path, streaming=face == "stream") for face, path in PATHS.items()}
    # Never called: its request's rules are compiled at the start, so that a test may declare it elsewhere.
    unserved = replace(method, path="/unserved", request_type=clinical_service_pb2.CreatePatientRequest)
    return {**methods, unserved.path: unserved}


@asynccontextmanager
async def running_house(
    work: UnitOfWork,
    clock: SettableClock,
    folder: Path,
    limit_factor: float = 1000,
    limits: Mapping[str, int] = MappingProxyType({}),
    store: BucketStore | None = None,
    **server_options: Any,
) -> AsyncIterator[House]:
    """Serves the probe behind the chain that `app.py` builds; only the table of methods comes from the test."""
    probe, methods = Probe(), _methods()
    tokens = AccessTokens(KeyRing.derived("k" * 32), clock.clock, timedelta(minutes=15))
    revocations = RevocationCache(work, clock.clock)
    await revocations.refresh()
    metrics = Metrics()
    limiter = RateLimiter(store or MemoryStore(), clock.clock, metrics)
    settings = SimpleNamespace(browsers_use_tls=False, patients_read_per_hour=300)
    ring = KeyRing.derived("a secret for the probe, 32 bytes long")
    core: Any = SimpleNamespace(
        settings=settings, clock=clock.clock, work=work, metrics=metrics, limiter=limiter, ring=ring
    )
    budgets = Budgets(limits, limit_factor)
    gate = FactorGate(work, OFFERED, clock.clock)
    services: Any = SimpleNamespace(access_tokens=tokens, revocations=revocations, gate=gate, budgets=budgets)
    stopping = asyncio.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "read_methods", lambda _: methods)
        chain = app.chain(core, services, stopping)
    server = grpc.aio.server(interceptors=[chain], options=OPTIONS, **server_options)
    events_service_pb2_grpc.add_EventsServiceServicer_to_server(probe, server)
    port = server.add_insecure_port("127.0.0.1:0")
    socket, tcp = f"unix:{folder}/p.sock", f"127.0.0.1:{port}"
    server.add_insecure_port(socket)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(socket) as edge, grpc.aio.insecure_channel(tcp) as direct:
            yield House(probe, methods, tokens, revocations, clock, limiter, metrics, edge, direct, port, stopping)
    finally:
        await server.stop(None)
