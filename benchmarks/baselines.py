"""The baselines: bare grpc.aio servers that return the server's recorded responses, without loading its code.

F0 only returns the response. F1 also runs the server's statements with asyncpg, in one transaction if the server does:
prepared, on connections from a plain list, with parameters that were made before the call.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import grpc
import grpc.aio
from google.protobuf.message import Message

from benchmarks.plan import Exchange, RehearsedCall, Statement, Variant

if TYPE_CHECKING:  # these classes have type parameters in their stubs only
    from asyncpg.prepared_stmt import PreparedStatement

    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    RawConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Prepared: TypeAlias = PreparedStatement[asyncpg.Record]

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONNECTIONS: Final = 10
"""More than the calls in flight, so that no call waits for one."""


@asynccontextmanager
async def bare(calls: Sequence[RehearsedCall]) -> AsyncIterator[int]:
    """Runs F0 and yields its port."""
    async with _serving(Handlers(calls, _answering)) as port:
        yield port


@asynccontextmanager
async def with_database(calls: Sequence[RehearsedCall], database_url: str, repetitions: int) -> AsyncIterator[int]:
    """Runs F1 and yields its port; repetitions: for how many calls of a method parameters are made beforehand."""
    compared = [known for known in calls if Variant.F1 in known.call.variants]
    async with (
        _connections(compared, database_url) as free,
        _serving(Handlers(compared, lambda calls: _asking(calls, free, repetitions))) as port,
    ):
        yield port


class Handlers(grpc.GenericRpcHandler):
    """The handlers of the calls' methods; `handler` returns the one of all calls of a method."""

    def __init__(self, calls: Sequence[RehearsedCall], handler: Callable[[Sequence[RehearsedCall]], "Handler"]) -> None:
        by_path: dict[str, list[RehearsedCall]] = {}
        for known in calls:
            by_path.setdefault(known.call.path, []).append(known)
        self._by_path = {path: handler(same) for path, same in by_path.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Returns the handler of a call."""
        return self._by_path.get(handler_call_details.method)


def _answering(calls: Sequence[RehearsedCall]) -> "Handler":
    """Returns a handler that parses the request and returns the response of the call that it belongs to."""
    responses = {
        request: known.call.response_type.FromString(known.exchanges[0].response)
        for known in calls
        for request in known.call.requests
    }
    parse, serialize = codecs(calls)

    async def answer(request: tuple[Message, bytes], _context: "Context") -> Message:
        return responses[request[1]]

    return grpc.unary_unary_rpc_method_handler(answer, parse, serialize)


def codecs(
    calls: Sequence[RehearsedCall],
) -> tuple[Callable[[bytes], tuple[Message, bytes]], Callable[[Message], bytes]]:
    """Returns the deserializer and the serializer of the calls' method; the former also returns the raw request."""
    call = calls[0].call
    parse = call.request_type.FromString
    return (lambda body: (parse(body), body)), call.response_type.SerializeToString


@dataclass(slots=True)
class _Connection:
    """A connection with its prepared statements."""

    raw: "RawConnection"
    prepared: dict[str, "Prepared"]


_Parameters = Sequence[Sequence[Any]]
"""The parameters of each statement of a call."""


@dataclass(slots=True)
class _Repetition:
    """The work of a request in F1; `parameters` yields those of one call after the other."""

    statements: tuple[Statement, ...]
    parameters: Iterator[_Parameters]
    response: Message


def _asking(calls: Sequence[RehearsedCall], free: list[_Connection], repetitions: int) -> "Handler":
    """Returns a handler that also runs the recorded statements of the same request."""
    by_request = {
        exchange.request: _Repetition(
            exchange.statements,
            _parameters(exchange, 1 + repetitions // len(known.exchanges)),
            known.call.response_type.FromString(exchange.response),
        )
        for known in calls
        for exchange in known.exchanges
    }
    parse, serialize = codecs(calls)

    async def answer(request: tuple[Message, bytes], _context: "Context") -> Message:
        repetition = by_request[request[1]]
        connection = free.pop()
        try:
            await _repeat(connection, repetition)
        finally:
            free.append(connection)
        return repetition.response

    return grpc.unary_unary_rpc_method_handler(answer, parse, serialize)


async def _repeat(connection: _Connection, repetition: _Repetition) -> None:
    parameters, statements = next(repetition.parameters), repetition.statements
    if not any(statement.in_transaction for statement in statements):
        await _execute(connection, statements, parameters)
        return
    await connection.raw.execute("BEGIN")
    try:
        await _execute(connection, statements, parameters)
    except BaseException:
        await connection.raw.execute("ROLLBACK")
        raise
    await connection.raw.execute("COMMIT")


async def _execute(connection: _Connection, statements: Sequence[Statement], parameters: _Parameters) -> None:
    for statement, values in zip(statements, parameters, strict=True):
        prepared = connection.prepared[statement.sql]
        if statement.many:
            await prepared.executemany(values)
        else:
            await prepared.fetch(*values)


def _parameters(exchange: Exchange, beforehand: int) -> Iterator[_Parameters]:
    """Returns the parameters of one call after the other; those of the first ones are made now."""
    recorded = tuple(statement.parameters for statement in exchange.statements)
    if not exchange.fresh:
        return repeat(recorded)

    def made() -> _Parameters:
        new = {value: another(value) for value in exchange.fresh}
        return tuple(_replaced(parameters, new) for parameters in recorded)

    return chain([made() for _ in range(beforehand)], iter(made, None))


def _replaced(parameters: Sequence[Any], new: dict[Any, Any]) -> list[Any]:
    return [_replaced(value, new) if isinstance(value, list | tuple) else new.get(value, value) for value in parameters]


def another(value: UUID | bytes | str) -> UUID | bytes | str:
    """Returns a random value of the same type and length; in a text that contains ids, such as JSON, other ids."""
    if isinstance(value, UUID):
        return UUID(bytes=secrets.token_bytes(16))
    if isinstance(value, bytes):
        return secrets.token_bytes(len(value))
    replaced, count = _ID.subn(lambda _: str(UUID(bytes=secrets.token_bytes(16))), value)
    if count:
        return replaced
    return secrets.token_hex(len(value))[: len(value)]


@asynccontextmanager
async def _connections(calls: Sequence[RehearsedCall], database_url: str) -> AsyncIterator[list[_Connection]]:
    """Yields connections on which all statements of the calls are prepared; the caller pops one and appends it."""
    texts = {statement.sql for known in calls for exchange in known.exchanges for statement in exchange.statements}
    async with AsyncExitStack() as stack:
        free = []
        for _ in range(CONNECTIONS):
            raw = await asyncpg.connect(database_url, server_settings={"jit": "off", "timezone": "UTC"})
            stack.push_async_callback(raw.close)
            free.append(_Connection(raw, {sql: await raw.prepare(sql) for sql in texts}))
        yield free


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
