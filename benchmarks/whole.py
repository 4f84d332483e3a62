"""The measured server: the whole of it, and its interceptors alone."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc.aio
from google.protobuf.message import Message

from benchmarks.baselines import Handlers, codecs
from benchmarks.plan import RehearsedCall
from server import logs
from server.api.listening import OPTIONS
from server.audit import audit_context
from server.audit.audit_context import NOTHING
from server.config.settings import Settings
from server.runtime import server as app

if TYPE_CHECKING:
    from benchmarks.baselines import Context, Handler

ADDRESS: Final = "127.0.0.1:0"


@asynccontextmanager
async def server(
    settings: Settings, database_url: str, socket: Path | None = None, address: str = ADDRESS
) -> AsyncIterator[int]:
    """Runs the whole server and yields its port; socket: for the edge."""
    async with app.core(settings, database_url) as core, app.serving(core, socket, address) as serving:
        _log_to(settings.medconnect_home / "server.log")
        yield serving.port


@asynccontextmanager
async def worker(settings: Settings, database_url: str) -> AsyncIterator[int]:
    """Runs the worker, so that the measured server does not send emails as its fallback; it yields port 0."""
    async with app.core(settings, database_url) as core, app.background_jobs(core):
        _log_to(settings.medconnect_home / "worker.log")
        yield 0


@asynccontextmanager
async def chain(calls: Sequence[RehearsedCall], settings: Settings, database_url: str) -> AsyncIterator[int]:
    """Runs the server's interceptors before the handlers of F0 and yields the port."""
    async with app.core(settings, database_url) as core:
        with app.use_cases(core) as services:
            server = grpc.aio.server(interceptors=[app.chain(core, services, asyncio.Event())], options=OPTIONS)
            server.add_generic_rpc_handlers((Handlers(calls, _recorded),))
            port = server.add_insecure_port(ADDRESS)
            async with services.revocations.kept_fresh():
                await server.start()
                _log_to(settings.medconnect_home / "chain.log")
                yield port
                await server.stop(None)


def _recorded(calls: Sequence[RehearsedCall]) -> "Handler":
    """Returns a handler like F0's that marks its audit record as written; without it the chain rejects a response."""
    call = calls[0].call
    responses = {
        known.call.request_type.FromString(request).SerializeToString(deterministic=True): (
            known.call.response_type.FromString(known.exchanges[0].response)
        )
        for known in calls
        for request in known.call.requests
    }
    _, serialize = codecs(calls)
    alone = next(iter(responses.values())) if len(calls) == 1 else None

    async def answer(request: Message, _context: "Context") -> Message:
        recorded = audit_context.current()
        if recorded is not None:
            recorded.recorded = NOTHING
        return alone or responses[request.SerializeToString(deterministic=True)]

    return grpc.unary_unary_rpc_method_handler(answer, call.request_type.FromString, serialize)


def _log_to(file: Path) -> None:
    """Redirects this process's log to a file, as for a service."""
    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    logs.configure("info")
