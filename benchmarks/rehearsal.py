"""Sends every request once to the real server and records its response and the statements that it ran.

The baselines therefore always run the statements of the current code.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import grpc.aio
from sqlalchemy import Connection, Engine, event

from benchmarks.plan import Call, Exchange, RehearsedCall, Statement
from server.identity import current_caller


async def rehearse(calls: Sequence[Call], port: int, database: asyncpg.Pool) -> tuple[RehearsedCall, ...]:
    """Records all calls against a server in this process.

    Each call's first request is sent three times: the first time fills the server's caches, and the parameters that
    differ between the second and the third time are those that are new in every call.
    """
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        return tuple([await _rehearse(call, channel, database) for call in calls])


async def _rehearse(call: Call, channel: grpc.aio.Channel, database: asyncpg.Pool) -> RehearsedCall:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(call.path)

    async def play(request: bytes) -> Exchange:
        with _note_statements() as statements:
            response = await method(request, metadata=call.metadata)
        return Exchange(request, tuple(statements), response)

    trials = []
    for _ in range(3):
        await restore(call, database)
        trials.append(await play(call.requests[0]))
    made = _differing(_parameters(trials[1]), _parameters(trials[2]))
    rest = [await play(request) for request in call.requests[1:]]
    await restore(call, database)
    exchanges = (trials[2], *rest)
    return RehearsedCall(call, tuple(_with_fresh(exchange, made) for exchange in exchanges))


async def restore(call: Call, database: asyncpg.Pool) -> None:
    """Makes the call's requests usable again."""
    if call.reset:
        await database.execute(call.reset)


@contextmanager
def _note_statements() -> Iterator[list[Statement]]:
    """Records the statements of calls; those of background jobs are skipped, because they have no caller."""
    noted: list[Statement] = []

    def note(
        connection: Connection, _cursor: object, sql: str, parameters: Sequence[Any], _context: object, many: bool
    ) -> None:
        try:
            current_caller()
        except LookupError:
            return
        autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
        noted.append(Statement(sql, parameters, many, not autocommit))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _parameters(exchange: Exchange) -> list[Any]:
    return list(_flat([statement.parameters for statement in exchange.statements]))


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _differing(one: list[Any], other: list[Any]) -> list[int]:
    """Returns the positions at which ids, texts or bytes differ; times may stay the same."""
    pairs = enumerate(zip(one, other, strict=True))
    return [place for place, (a, b) in pairs if a != b and isinstance(a, UUID | str | bytes)]


def _with_fresh(exchange: Exchange, made: list[int]) -> Exchange:
    parameters = _parameters(exchange)
    fresh = tuple({parameters[place] for place in made})
    return Exchange(exchange.request, exchange.statements, exchange.response, fresh)
