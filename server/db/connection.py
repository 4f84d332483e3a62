"""A connection to the database: the only place where statements are executed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto
from sqlalchemy import Executable

from server.db import time_spent
from server.db.compiled_statement import CompiledStatement, Values, compiled_statement
from server.db.failures import FAILURES, refusal

T = TypeVar("T")

Row = asyncpg.Record
"""A row; its values are read by column name, `row["id"]`, or in the order of the columns."""

UniqueViolation = asyncpg.UniqueViolationError
"""The error of a statement that would store a value a second time."""

_NOTHING: Final[Values] = MappingProxyType({})


def read_id(text: str) -> UUID:
    """Returns the id that a JSON column holds as text; the driver's type reads and formats it eight times as fast."""
    return pgproto.UUID(text)


class TransactionLost(Exception):
    """PostgreSQL rolled a transaction back that should be committed: a statement in it had failed."""


class Connection:
    """Executes statements of SQLAlchemy Core with asyncpg, one at a time.

    values: the values of the statement's parameters, by their names. Every method raises the driver's errors, or the
    declared error where a rule in the database refused the call. When its task is cancelled, the statement is cancelled
    and the connection is broken.
    """

    __slots__ = ("_begins", "driver", "is_broken", "opened_at")

    def __init__(self, driver: "asyncpg.Connection[Row]", opened_at: float) -> None:
        self.driver: Final = driver
        self.opened_at: Final = opened_at
        """When it was opened, in seconds of the event loop's clock."""
        self.is_broken = False
        """True if the connection's state is unknown, so that it must be closed."""
        self._begins = False

    async def rows(self, statement: Executable, values: Values = _NOTHING) -> list[Row]:
        """Executes a statement and returns its rows."""
        compiled = compiled_statement(statement, values)
        if self._begins:
            await self._begin()
        return await self._run(self.driver.fetch(compiled.sql, *compiled.arguments(values)))

    async def first(self, statement: Executable, values: Values = _NOTHING) -> Row | None:
        """Executes a statement and returns its first row, or None."""
        rows = await self.rows(statement, values)
        return rows[0] if rows else None

    async def one(self, statement: Executable, values: Values = _NOTHING) -> Row:
        """Executes a statement that returns exactly one row, and returns it. Raises ValueError for another number."""
        [row] = await self.rows(statement, values)
        return row

    async def scalars(self, statement: Executable, values: Values = _NOTHING) -> list[Any]:
        """Executes a statement and returns the first value of each row."""
        return [row[0] for row in await self.rows(statement, values)]

    async def scalar(self, statement: Executable, values: Values = _NOTHING) -> Any:  # noqa: ANN401 - any column
        """Executes a statement and returns the first value of its first row; None if there is no row."""
        rows = await self.rows(statement, values)
        return rows[0][0] if rows else None

    async def execute(self, statement: Executable, values: Values = _NOTHING) -> int:
        """Executes a statement and returns the number of rows that it inserted, changed, deleted or found."""
        compiled = compiled_statement(statement, values)
        if self._begins:
            await self._begin()
        tag = await self._run(self.driver.execute(compiled.sql, *compiled.arguments(values)))
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def stream(self, statement: Executable, *, at_once: int) -> AsyncIterator[Row]:
        """Yields the rows of a statement inside a transaction, with `at_once` rows in memory at a time."""
        compiled = compiled_statement(statement, _NOTHING)
        if self._begins:
            await self._begin()
        cursor = await self._run(self._open_cursor(compiled))
        while rows := await self._run(cursor.fetch(at_once)):
            for row in rows:
                yield row

    async def _open_cursor(self, compiled: CompiledStatement) -> "asyncpg.cursor.Cursor[Row]":
        return await self.driver.cursor(compiled.sql, *compiled.arguments(_NOTHING))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commits the block's statements when it ends and rolls them back when it raises.

        The transaction begins with the first statement.
        """
        self._begins = True
        try:
            yield
        except BaseException:
            await self._end("ROLLBACK")
            raise
        if not self._begins and await self._run(self.driver.execute("COMMIT")) != "COMMIT":
            raise TransactionLost()
        self._begins = False

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Rolls the block's statements back when it raises, while the transaction around it goes on."""
        if self._begins:
            await self._begin()
        await self._run(self.driver.execute("SAVEPOINT block"))
        try:
            yield
        except BaseException:
            await self._end("ROLLBACK TO SAVEPOINT block; RELEASE SAVEPOINT block")
            raise
        await self._run(self.driver.execute("RELEASE SAVEPOINT block"))

    async def _begin(self) -> None:
        self._begins = False
        await self._run(self.driver.execute("BEGIN"))

    async def _end(self, command: str) -> None:
        """Rolls back after an error; if that fails too, the connection is broken, and the first error is raised."""
        if self._begins:
            self._begins = False
        elif not self.is_broken:
            try:
                await self._run(self.driver.execute(command))
            except FAILURES:
                self.is_broken = True

    async def _run(self, operation: Awaitable[T]) -> T:
        began = time_spent.now()
        try:
            return await operation
        except asyncio.CancelledError:
            self.is_broken = True
            raise
        except asyncpg.PostgresError as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise refused from error
        finally:
            time_spent.add_sql(began)
