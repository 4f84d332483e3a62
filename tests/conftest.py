"""Fixtures that every test may use.

They import the server when they are used, so that tests of pure rules load neither gRPC nor a database driver.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.fixtures.clock import SettableClock

if TYPE_CHECKING:
    from server.auth.password_hashing import Passwords
    from server.db.embedded.cluster import EmbeddedPostgres
    from server.db.unit_of_work import UnitOfWork
    from server.pharmacy.services.pharmacy import PharmacyService
    from tests.fixtures.actors import Actors
    from tests.fixtures.clinical import Clinic
    from tests.fixtures.instance import RunningInstance
    from tests.fixtures.pharmacy import PharmacyPeople, Written


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    """Discards the log of an instance that runs during the tests; rendering an exception's frames takes seconds."""
    plain = structlog.processors.KeyValueRenderer()
    structlog.configure(processors=[plain], logger_factory=structlog.ReturnLoggerFactory())


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Yields the PostgreSQL of this run."""
    from tests.fixtures.database import migrated_server

    with migrated_server() as server:
        yield server


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Yields a fresh copy of the migrated database, for tests that need it empty, or break it."""
    from tests.fixtures.database import copied_database

    async with copied_database(postgres) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Yields a copy for all tests of a module that commit and do not disturb each other: a copy costs 0.2 s."""
    from tests.fixtures.database import copied_database

    with asyncio.Runner() as runner:
        copy = copied_database(postgres)
        yield runner.run(copy.__aenter__())
        runner.run(copy.__aexit__(None, None, None))


@pytest.fixture
async def work(postgres: EmbeddedPostgres) -> AsyncIterator[UnitOfWork]:
    """Yields a unit of work on the migrated database whose changes are rolled back after the test."""
    from tests.fixtures.database import TEMPLATE, rolled_back_work

    async with rolled_back_work(postgres.url(TEMPLATE)) as unit_of_work:
        yield unit_of_work


@pytest.fixture
async def pharmacy_people(work: UnitOfWork) -> PharmacyPeople:
    """Returns the accounts of the pharmacy's tests, as rows."""
    from tests.fixtures.pharmacy import open_pharmacy

    async with work.begin() as tx:
        return await open_pharmacy(tx.connection)


@pytest.fixture
async def written(work: UnitOfWork, pharmacy_people: PharmacyPeople) -> Written:
    """Returns a pending prescription of the ward's patient."""
    from tests.fixtures.pharmacy_steps import prescribe

    return await prescribe(work, pharmacy_people)


@pytest.fixture
def pharmacy(work: UnitOfWork) -> PharmacyService:
    """Returns the pharmacy's service."""
    from tests.fixtures.pharmacy import a_service

    return a_service(work)


@pytest.fixture
async def clinic(work: UnitOfWork, clock: SettableClock) -> Clinic:
    """Returns the clinical services, and accounts that use them."""
    from tests.fixtures.clinical import open_clinic

    return await open_clinic(work, clock.clock)


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    """Yields one hasher for the whole run: creating it costs a hash, and so does each new password."""
    from server.auth.password_hashing import hashing_threads
    from tests.fixtures.auth import QuickPasswords

    with hashing_threads() as executor:
        yield QuickPasswords(executor)


@pytest.fixture(scope="session")
def instance(postgres: EmbeddedPostgres) -> Iterator[RunningInstance]:
    """Yields a whole instance with Envoy, shared by all tests that call it from outside, with generous limits."""
    from tests.fixtures.database import copied_database
    from tests.fixtures.instance import running_instance

    with asyncio.Runner() as runner:
        database = copied_database(postgres)
        url = runner.run(database.__aenter__())
        with running_instance(url) as running:
            yield running
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def actors(instance: RunningInstance) -> Iterator[Actors]:
    """Yields signed-in accounts of every role on the shared instance."""
    from tests.fixtures.actors import Actors

    with Actors(instance) as actors:
        yield actors


@pytest.fixture
def clock() -> SettableClock:
    """Returns a clock that stands still until the test moves it."""
    return SettableClock()
