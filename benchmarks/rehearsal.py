"""Sends every request once to the real server and records its response and the statements that it ran.

The baselines therefore always run the statements of the current code.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg
import grpc.aio

from benchmarks.plan import Call, Exchange, RehearsedCall, Statement, Variant
from benchmarks.recording import recorded
from server.identity import current_address

TRIALS: Final = 9
"""How often a request is sent until it runs the same statements twice."""
Position = tuple[str, int]
"""A statement and the position of a parameter in it, counted through lists."""


class RehearsalFailed(Exception):
    """A call ran other statements each time, or none, so no baseline can repeat them."""


async def rehearse(calls: Sequence[Call], port: int, database: asyncpg.Pool) -> tuple[RehearsedCall, ...]:
    """Records all calls against a server in this process.

    Each call's first request is sent until it runs the same statements twice. The parameters that differ between these
    two times are those that are new in every call.
    """
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        return tuple([await _rehearse(call, channel, database) for call in calls])


async def _rehearse(call: Call, channel: grpc.aio.Channel, database: asyncpg.Pool) -> RehearsedCall:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(call.path)

    async def play(request: bytes) -> Exchange:
        noted: list[Statement] = []
        with recorded(lambda statement: _note(noted, statement)):
            response = await method(request, metadata=call.metadata)
        return Exchange(request, tuple(noted), response)

    if Variant.F1 not in call.variants:
        unused = call.requests[1:] if call.first_time else call.requests
        return RehearsedCall(replace(call, requests=unused), (await play(call.requests[0]),))
    trial, made = await _settled(call, lambda: play(call.requests[0]), database)
    rest = [await play(request) for request in call.requests[1:]]
    await restore(call, database)
    exchanges = usual([trial, *rest])
    call = replace(call, requests=tuple(exchange.request for exchange in exchanges))
    return RehearsedCall(call, tuple(with_fresh(exchange, made) for exchange in exchanges))


async def _settled(
    call: Call, play: Callable[[], Awaitable[Exchange]], database: asyncpg.Pool
) -> tuple[Exchange, frozenset[Position]]:
    """Plays the first request until it runs the same statements twice; returns its exchange and the new parameters.

    Before that, caches of the server fill, and the driver looks up types on each connection. Raises RehearsalFailed.
    """
    await restore(call, database)
    last = await play()
    for _ in range(TRIALS):
        await restore(call, database)
        last, before = await play(), last
        if before.statements and _shape(before) == _shape(last):
            return last, new_positions(before, last)
    raise RehearsalFailed(f"{call.name} ran other statements each time")


def _note(noted: list[Statement], statement: Statement) -> None:
    """Notes a statement of a call; those of background jobs are skipped, because they have no client address."""
    if current_address():
        noted.append(statement)


async def restore(call: Call, database: asyncpg.Pool) -> None:
    """Makes the call's requests usable again."""
    if call.reset:
        await database.execute(call.reset, *call.reset_arguments)


def usual(exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
    """Returns the exchanges that ran the most frequent sequence of statements.

    Now and then a call runs one more: the revocation cache forgets confirmed accounts once a minute, and the next call
    of each caller queries theirs. A baseline that repeated it in each round would do more than the server does.
    """
    sequences = list(map(_texts, exchanges))
    [(frequent, _)] = Counter(sequences).most_common(1)
    return tuple(one for one, sequence in zip(exchanges, sequences, strict=True) if sequence == frequent)


def new_positions(one: Exchange, other: Exchange) -> frozenset[Position]:
    """Returns where ids, texts or bytes differ between two exchanges of a request; times may stay the same."""
    pairs = zip(_positioned(one), _positioned(other), strict=True)
    return frozenset(position for (position, a), (_, b) in pairs if a != b and isinstance(a, UUID | str | bytes))


def with_fresh(exchange: Exchange, made: frozenset[Position]) -> Exchange:
    """Returns the exchange with the values that have to be new in each call: those at the given positions."""
    fresh = {
        value for position, value in _positioned(exchange) if position in made and isinstance(value, UUID | str | bytes)
    }
    return replace(exchange, fresh=tuple(fresh))


def _shape(exchange: Exchange) -> list[Position]:
    """Returns the statements with the positions of their parameters; lists may have another length in each call."""
    return [position for position, _ in _positioned(exchange)]


def _texts(exchange: Exchange) -> tuple[str, ...]:
    return tuple(statement.sql for statement in exchange.statements)


def _positioned(exchange: Exchange) -> Iterator[tuple[Position, Any]]:
    for statement in exchange.statements:
        for position, value in enumerate(_flat(statement.parameters)):
            yield (statement.sql, position), value


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
