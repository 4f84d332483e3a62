"""Unit of work: one transaction for each use case, committed when the block ends."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from server.db import time_spent
from server.db.connection import Connection
from server.db.failures import FAILURES, unavailable
from server.db.pool import Pool
from server.errors import DatabaseUnavailable, ServerBusy

R = TypeVar("R")

Builders = Mapping[type[Any], Callable[[Connection], Any]]
"""Factories of the repositories that need more than a connection, by their class."""


class Transaction:
    """An open connection, and the repositories that work through it: `tx[PrescriptionRepository]`."""

    __slots__ = ("_bound", "_builders", "_built", "connection")

    def __init__(self, connection: Connection, builders: Builders | None = None) -> None:
        self.connection = connection
        self._bound = connection
        self._builders = builders or {}
        self._built: dict[type[Any], Any] = {}

    def __getitem__(self, kind: type[R]) -> R:
        """Returns the repository of this class: built at first use, kept for the block."""
        repository: R | None = self._built.get(kind)
        if repository is None:
            build: Any = self._builders.get(kind, kind)
            repository = self._built[kind] = build(self._bound)
        return repository

    def used(self, kind: type[R]) -> R | None:
        """Returns the repository of this class if the block has used it, else None."""
        return self._built.get(kind)


_joined: ContextVar[Transaction | None] = ContextVar("joined_transaction", default=None)


class UnitOfWork:
    """Opens transactions on a pool.

    Every block raises `ServerBusy` or `DatabaseUnavailable` when the database fails.

    builders: for repositories that need more than the connection. committed: called after each commit. joins: False for
    writes that must persist even if the transaction open in `shared` is rolled back; they need a pool of their own,
    because that transaction occupies a connection. failed: called with each failure of the database before it is
    raised.
    """

    def __init__(
        self,
        pool: Pool,
        builders: Builders | None = None,
        committed: Callable[[Transaction], None] = lambda _: None,
        *,
        joins: bool = True,
        failed: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._failed = failed
        self._joins = joins
        self._builders = builders or {}
        self._committed = committed

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Yields a transaction, committed when the block ends and rolled back when it raises.

        Inside `shared` it is the transaction that is open there.
        """
        joined = _joined.get() if self._joins else None
        if joined is not None:
            yield joined
            return
        async with self._connected() as connection, connection.transaction():
            transaction = Transaction(connection, self._builders)
            yield transaction
        self._committed(transaction)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Yields a connection for use cases that only read: each statement is a transaction of its own.

        Inside `shared` it is the transaction that is open there, so that a call never waits for a second connection.
        """
        joined = _joined.get() if self._joins else None
        if joined is not None:
            yield joined
            return
        async with self._connected() as connection:
            yield Transaction(connection, self._builders)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[Transaction]:
        """Yields a transaction that every block inside joins, so that writes around a use case commit with it."""
        async with self.begin() as transaction:
            token = _joined.set(transaction)
            try:
                yield transaction
            finally:
                _joined.reset(token)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """Yields a connection; an error that shows that the database failed breaks it and is raised as declared."""
        began = time_spent.now()
        try:
            connection = await self._pool.acquire()
        except ServerBusy as error:
            self._failed(error)
            raise
        except FAILURES as error:
            self._failed(error)
            raise unavailable(error) or error from error
        finally:
            time_spent.add_pool(began)
        try:
            yield connection
        except FAILURES as error:
            self._failed(error)
            declared = unavailable(error, closed=connection.driver.is_closed())
            if declared is None:
                raise
            connection.is_broken |= isinstance(declared, DatabaseUnavailable)
            raise declared from error
        finally:
            self._pool.release(connection)
