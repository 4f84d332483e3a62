"""One transaction per use case, committed by leaving the block."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.db.failures import unavailable

R = TypeVar("R")

Builders = Mapping[type[Any], Callable[[AsyncConnection], Any]]
"""How repositories are built that need more than a connection, by their class."""


class Transaction:
    """An open connection, and the repositories that work through it: `tx[PrescriptionRepository]`."""

    __slots__ = ("_bound", "_builders", "_built", "connection")

    def __init__(self, connection: AsyncConnection, builders: Builders | None = None) -> None:
        self.connection = connection
        self._bound = connection
        self._builders = builders or {}
        self._built: dict[type[Any], Any] = {}

    def __getitem__(self, kind: type[R]) -> R:
        """Return the repository of this class: built at first use, kept for the block."""
        repository: R | None = self._built.get(kind)
        if repository is None:
            build: Any = self._builders.get(kind, kind)
            repository = self._built[kind] = build(self._bound)
        return repository

    def used(self, kind: type[R]) -> R | None:
        """Return the repository of this class if the block has used it."""
        return self._built.get(kind)


_joined: ContextVar[Transaction | None] = ContextVar("joined_transaction", default=None)


class UnitOfWork:
    """Opens transactions on a pool.

    Every block raises `ServerBusy` or `DatabaseUnavailable` when the database fails it.

    builders: for repositories that need more than the connection. committed: called after each commit.
    joins: False for what must be written whatever
    becomes of the transaction that stands open in `shared`; it needs a pool of its own, because that one is held.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        builders: Builders | None = None,
        committed: Callable[[Transaction], None] = lambda _: None,
        *,
        joins: bool = True,
    ) -> None:
        self._engine = engine
        self._joins = joins
        self._builders = builders or {}
        self._committed = committed
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """A transaction, committed when the block is left and rolled back when it raises.

        Inside `shared` it is the one that stands open there.
        """
        joined = _joined.get() if self._joins else None
        if joined is not None:
            yield joined
            return
        with _translate_failures():
            async with self._engine.begin() as connection:
                transaction = Transaction(connection, self._builders)
                yield transaction
        self._committed(transaction)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Single statements, each on its own: no BEGIN, no COMMIT, for use cases that only read.

        Inside `shared` they are part of what stands open there: a call never waits for a second connection.
        """
        joined = _joined.get() if self._joins else None
        if joined is not None:
            yield joined
            return
        with _translate_failures():
            async with self._autocommit.connect() as connection:
                yield Transaction(connection, self._builders)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[Transaction]:
        """A transaction that every block inside joins, so that what surrounds a use case commits with it."""
        async with self.begin() as transaction:
            token = _joined.set(transaction)
            try:
                yield transaction
            finally:
                _joined.reset(token)

    async def ping(self) -> None:
        """Ask the database for a sign of life."""
        async with self.read() as transaction:
            await transaction.connection.execute(text("SELECT 1"))


@contextmanager
def _translate_failures() -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, DBAPIError, PoolTimeout) as error:
        declared = unavailable(error)
        if declared is None:
            raise
        raise declared from error
