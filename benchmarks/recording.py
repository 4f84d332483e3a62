"""Records the statements that this process sends to PostgreSQL.

The recording is made in asyncpg's protocol, the lowest layer in Python, so it does not depend on who calls the driver.
This is the only module that knows the driver's inside.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from asyncpg.protocol.protocol import Protocol

from benchmarks.plan import Statement


@contextmanager
def recorded(note: Callable[[Statement], object]) -> Iterator[None]:
    """Calls `note` for each prepared statement before it is sent, in the context of the task that sends it.

    BEGIN, COMMIT and other texts without parameters that are sent as simple queries are not recorded.
    """
    execute, execute_many = Protocol.bind_execute, Protocol.bind_execute_many

    def bind_execute(protocol: Any, state: Any, args: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        note(Statement(state.query, tuple(args), many=False, in_transaction=protocol.is_in_transaction()))
        return execute(protocol, state, args, *rest, **options)

    def bind_execute_many(protocol: Any, state: Any, args: Iterable[Any], *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        rows = [tuple(row) for row in args]
        note(Statement(state.query, rows, many=True, in_transaction=protocol.is_in_transaction()))
        return execute_many(protocol, state, rows, *rest, **options)

    with (
        mock.patch.object(Protocol, "bind_execute", bind_execute),
        mock.patch.object(Protocol, "bind_execute_many", bind_execute_many),
    ):
        yield
