"""What every test may ask for."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from server.db.embedded import EmbeddedPostgres
from server.db.engine import create_engine
from server.unit_of_work import UnitOfWork
from tests.fixtures.cast import Cast
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import TEMPLATE, copied_database, migrated_server, rolled_back_work
from tests.fixtures.instance import RunningInstance, running_instance


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    """An instance that runs beside the tests logs to nobody."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this run."""
    with migrated_server() as server:
        yield server


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A fresh copy of the migrated database: for races, LISTEN, and whatever must commit."""
    async with copied_database(postgres) as url:
        yield url


@pytest.fixture
async def work(postgres: EmbeddedPostgres) -> AsyncIterator[UnitOfWork]:
    """A unit of work on the migrated database of which nothing stays after the test."""
    engine = create_engine(postgres.url(TEMPLATE), pool_size=1)
    async with rolled_back_work(engine) as unit_of_work:
        yield unit_of_work
    await engine.dispose()


@pytest.fixture(scope="session")
def instance(postgres: EmbeddedPostgres) -> Iterator[RunningInstance]:
    """A whole instance with Envoy, shared by all tests that call it from outside; its limits are out of the way."""
    with asyncio.Runner() as runner:
        database = copied_database(postgres)
        url = runner.run(database.__aenter__())
        with running_instance(url) as running:
            yield running
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def cast(instance: RunningInstance) -> Iterator[Cast]:
    """Signed-in accounts of every role on the shared instance."""
    with Cast(instance) as actors:
        yield actors


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still until the test moves it."""
    return SettableClock()
