"""Tests the errors that callers get when the database fails: each failure is a real one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url, text

from server.db.embedded.cluster import EmbeddedPostgres
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import DatabaseUnavailable, ServerBusy
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.pace import within


class Wire:
    """A TCP connection to the database that can be cut, or go silent."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.port = 0
        self.silent = False

    async def open(self) -> None:
        """Accepts connections, at the same port as before."""
        self._listener = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Breaks existing connections and refuses new ones."""
        assert self._listener is not None
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        self._writers |= {writer, far_writer}
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(self._pump(source, target)))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65536):
                if not self.silent:
                    target.write(chunk)
        except OSError:
            pass
        finally:
            target.transport.abort()


@pytest.fixture
async def wire(postgres: EmbeddedPostgres) -> AsyncIterator[Wire]:
    """Yields an open connection to the database."""
    wire = Wire(f"{postgres.socket_directory}/.s.PGSQL.{postgres.port}")
    await wire.open()
    yield wire
    await wire.close()


def through(wire: Wire, url: str) -> str:
    """Returns the database's URL through the wire."""
    parts = make_url(url).set(query={}, host="127.0.0.1", port=wire.port)
    return parts.render_as_string(hide_password=False)


@pytest.fixture
async def wired(wire: Wire, shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(through(wire, shared_database_url)) as work:
        yield work


@pytest.fixture
async def work(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(shared_database_url) as work:
        yield work


async def run(tx: Transaction, statement: str) -> object:
    return await tx.connection.scalar(text(statement))


async def works(work: UnitOfWork) -> bool:
    async with work.begin() as tx:
        return await run(tx, "SELECT 1") == 1


async def test_refused_connection_is_unavailable_and_next_one_works(wire: Wire, wired: UnitOfWork) -> None:
    await wire.cut()
    with pytest.raises(DatabaseUnavailable):
        await works(wired)
    await wire.open()
    assert await works(wired)


@pytest.mark.parametrize("pooled", [1, 3])
async def test_connections_that_died_in_the_pool_cost_no_call(wire: Wire, wired: UnitOfWork, pooled: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(pooled):
            group.create_task(works(wired))
    await wire.cut()
    await wire.open()
    assert await works(wired)


@pytest.mark.parametrize("block", ["begin", "read"])
async def test_connection_broken_during_statement_is_unavailable(wire: Wire, wired: UnitOfWork, block: str) -> None:
    async def slow() -> None:
        async with getattr(wired, block)() as tx:
            await run(tx, "SELECT pg_sleep(5)")

    call = asyncio.create_task(slow())
    await asyncio.sleep(0.2)
    await wire.cut()
    with pytest.raises(DatabaseUnavailable):
        await call


async def test_connection_broken_before_commit_is_unavailable(wire: Wire, wired: UnitOfWork) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with wired.begin() as tx:
            await run(tx, "SELECT 1")
            await wire.cut()


async def test_silent_database_is_unavailable_within_three_seconds(wire: Wire, wired: UnitOfWork) -> None:
    wire.silent = True
    async with asyncio.timeout(3):
        with pytest.raises(DatabaseUnavailable):
            await works(wired)


@pytest.mark.parametrize("wrong", [{"username": "nobody"}, {"password": "wrong"}, {"database": "nothing"}])
async def test_a_database_that_does_not_let_us_in_is_unavailable(
    wire: Wire, shared_database_url: str, wrong: dict[str, Any]
) -> None:
    url = make_url(through(wire, shared_database_url)).set(**wrong)
    async with committing_work(url.render_as_string(hide_password=False)) as work:
        with pytest.raises(DatabaseUnavailable):
            await works(work)


async def test_a_session_that_an_operator_ends_is_unavailable(work: UnitOfWork, shared_database_url: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with work.begin() as tx:
            session = await tx.connection.scalar(text("SELECT pg_backend_pid()"))
            await as_owner(shared_database_url, f"SELECT pg_terminate_backend({session})")
            await run(tx, "SELECT 1")
    assert await works(work)


async def test_a_statement_out_of_time_is_unavailable(work: UnitOfWork) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with work.begin() as tx:
            await run(tx, "SET LOCAL statement_timeout = '20ms'")
            await run(tx, "SELECT pg_sleep(5)")
    assert await works(work)


async def test_an_idle_transaction_out_of_time_is_unavailable(work: UnitOfWork) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with work.begin() as tx:
            await run(tx, "SET LOCAL idle_in_transaction_session_timeout = '20ms'")
            await asyncio.sleep(0.2)
            await run(tx, "SELECT 1")
    assert await works(work)


async def test_a_database_that_only_reads_is_unavailable(work: UnitOfWork) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with work.begin() as tx:
            await run(tx, "SET TRANSACTION READ ONLY")
            await run(tx, "DELETE FROM users")


async def test_a_lock_that_another_holds_is_busy(work: UnitOfWork) -> None:
    with pytest.raises(ServerBusy):
        async with work.begin() as first, work.begin() as second:
            await run(first, "LOCK TABLE users")
            await run(second, "SET LOCAL lock_timeout = '20ms'")
            await run(second, "SELECT count(*) FROM users")


async def test_a_deadlock_is_busy_for_one_of_the_two(work: UnitOfWork) -> None:
    reached = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with work.begin() as tx:
            await run(tx, f"SELECT pg_advisory_xact_lock({first})")
            await reached.wait()
            await run(tx, f"SELECT pg_advisory_xact_lock({second})")

    results = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "ServerBusy"]


async def test_a_pool_without_a_free_connection_is_busy(shared_database_url: str) -> None:
    async with committing_work(shared_database_url, pool_size=1) as work, work.begin(), asyncio.timeout(within(2)):
        with pytest.raises(ServerBusy):
            await works(work)


async def test_a_database_without_a_free_connection_is_busy(
    postgres: EmbeddedPostgres, shared_database_url: str
) -> None:
    admin = await asyncpg.connect(postgres.url("postgres"))
    name = make_url(shared_database_url).database
    await admin.execute(f"CREATE ROLE limited_{name} LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    try:
        url = (
            make_url(shared_database_url)
            .set(username=f"limited_{name}", password="x")
            .render_as_string(hide_password=False)
        )
        async with committing_work(url) as work:
            with pytest.raises(ServerBusy):
                await works(work)
    finally:
        await admin.execute(f"DROP ROLE limited_{name}")
        await admin.close()


@pytest.mark.parametrize("statement", ["SELECT nothing", "SELEC", "INSERT INTO sessions (id) VALUES (NULL)"])
async def test_a_fault_of_ours_is_not_called_unavailable(work: UnitOfWork, statement: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        async with work.begin() as tx:
            await run(tx, statement)
    assert await works(work)


async def test_a_value_that_the_driver_cannot_send_is_a_fault_of_ours(work: UnitOfWork) -> None:
    with pytest.raises(asyncpg.DataError):
        async with work.begin() as tx:
            await tx.connection.execute(text("SELECT CAST(:number AS integer)"), {"number": 2**40})
    assert await works(work)
