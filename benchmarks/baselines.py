"""The baselines: bare grpc.aio servers that return the server's recorded responses, without loading its code.

F0 only returns the response. F1 also runs the server's statements with asyncpg, in one transaction if the server does.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import asyncpg
import grpc
import grpc.aio
from google.protobuf.message import Message

from benchmarks.plan import Exchange, RehearsedCall, Statement

if TYPE_CHECKING:  # these classes have type parameters in their stubs only
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

POOL_SIZE = 10


@asynccontextmanager
async def bare(calls: Sequence[RehearsedCall]) -> AsyncIterator[int]:
    """Runs F0 and yields its port."""
    async with _serving(Handlers(calls, answering)) as port:
        yield port


@asynccontextmanager
async def with_database(calls: Sequence[RehearsedCall], database_url: str) -> AsyncIterator[int]:
    """Runs F1 and yields its port."""
    async with (
        asyncpg.create_pool(database_url, min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_keep) as pool,
        _serving(Handlers(calls, lambda known: _asking(known, pool))) as port,
    ):
        yield port


class Handlers(grpc.GenericRpcHandler):
    """The handlers of the calls' methods."""

    def __init__(self, calls: Sequence[RehearsedCall], handler: Callable[[RehearsedCall], "Handler"]) -> None:
        self._by_path = {known.call.path: handler(known) for known in calls}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Returns the handler of a call."""
        return self._by_path.get(handler_call_details.method)


def answering(known: RehearsedCall) -> "Handler":
    """Returns a handler that parses the request and returns the recorded response."""
    call = known.call
    response = call.response_type.FromString(known.exchanges[0].response)

    async def answer(_request: Message, _context: "Context") -> Message:
        return response

    return grpc.unary_unary_rpc_method_handler(
        answer, call.request_type.FromString, call.response_type.SerializeToString
    )


def _asking(known: RehearsedCall, pool: asyncpg.Pool) -> "Handler":
    """Returns a handler that also runs the recorded statements of the same request."""
    call = known.call
    exchanges = {
        exchange.request: (exchange, call.response_type.FromString(exchange.response)) for exchange in known.exchanges
    }

    def parse(body: bytes) -> tuple[Message, bytes]:
        return call.request_type.FromString(body), body

    async def answer(request: tuple[Message, bytes], _context: "Context") -> Message:
        exchange, response = exchanges[request[1]]
        async with pool.acquire() as connection:
            await _repeat(connection, exchange)
        return response

    return grpc.unary_unary_rpc_method_handler(answer, parse, call.response_type.SerializeToString)


async def _repeat(connection: "Connection", exchange: Exchange) -> None:
    new = {value: _another(value) for value in exchange.fresh}
    if not exchange.statements[0].in_transaction:
        await _execute(connection, exchange.statements, new)
        return
    async with connection.transaction():
        await _execute(connection, exchange.statements, new)


async def _execute(connection: "Connection", statements: Sequence[Statement], new: dict[Any, Any]) -> None:
    for statement in statements:
        parameters = _replaced(statement.parameters, new) if new else statement.parameters
        if statement.many:
            await connection.executemany(statement.sql, parameters)
        else:
            await connection.fetch(statement.sql, *parameters)


def _replaced(parameters: Sequence[Any], new: dict[Any, Any]) -> list[Any]:
    return [_replaced(p, new) if isinstance(p, list | tuple) else new.get(p, p) for p in parameters]


def _another(value: UUID | bytes | str) -> UUID | bytes | str:
    """Returns a random value of the same type and length."""
    if isinstance(value, UUID):
        return UUID(bytes=secrets.token_bytes(16))
    if isinstance(value, bytes):
        return secrets.token_bytes(len(value))
    return secrets.token_hex(len(value))[: len(value)]


async def _keep(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Skips the reset of a connection that is returned to the pool."""


@asynccontextmanager
async def _serving(handlers: Handlers) -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)
