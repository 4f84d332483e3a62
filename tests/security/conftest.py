"""Sets how long the heavy tests of this folder run, and provides a toy service and an instance with confirmation."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.db.embedded.cluster import EmbeddedPostgres
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.actors import Actors
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import copied_database
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.sender import Sender
from tests.interceptors.probe import House, running_house

OPTIONS = {
    "--audit-records": (5_000, "records of the audit to seal and verify"),
    "--flood": (200_000, "addresses that flood the limiter; 1,000,000 take 20 s"),
    "--resets": (2_000, "streams that one connection opens and resets"),
    "--child-kills": (1, "rounds in which each process of an instance is killed"),
    "--stalled": (1_000, "requests for the largest file whose answers are not read; 6,000 take half a minute"),
    "--idle": (2_000, "connections of one address that ask nothing; 10,000 take half a minute"),
    "--logins": (60, "sign-ins, 200 at a time"),
    "--requests": (600, "damaged requests as bytes of HTTP/1.1, and as many of HTTP/2"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--audit-records=100000 --flood=1000000 --resets=20000 --logins=4000 --requests=10000` and others."""
    for name, (default, what) in OPTIONS.items():
        parser.addoption(name, type=int, default=default, help=what)


def _chosen(request: pytest.FixtureRequest, name: str) -> int:
    """Returns an option, or its default when the whole suite runs and the option is not registered."""
    return int(request.config.getoption(name, OPTIONS[name][0]))


@pytest.fixture(scope="session")
def audit_records(request: pytest.FixtureRequest) -> int:
    """Returns how many records are sealed and verified."""
    return _chosen(request, "--audit-records")


@pytest.fixture
def flood(request: pytest.FixtureRequest) -> int:
    """Returns how many addresses flood the limiter."""
    return _chosen(request, "--flood")


@pytest.fixture
def resets(request: pytest.FixtureRequest) -> int:
    """Returns how many streams one connection opens and resets."""
    return _chosen(request, "--resets")


@pytest.fixture
def child_kills(request: pytest.FixtureRequest) -> int:
    """Returns how often each process of an instance is killed."""
    return _chosen(request, "--child-kills")


@pytest.fixture
def stalled(request: pytest.FixtureRequest) -> int:
    """Returns how many answers are left unread."""
    return _chosen(request, "--stalled")


@pytest.fixture
def idle(request: pytest.FixtureRequest) -> int:
    """Returns how many connections stay idle."""
    return _chosen(request, "--idle")


@pytest.fixture(scope="session")
def logins(request: pytest.FixtureRequest) -> int:
    """Returns how many sign-ins are sent."""
    return _chosen(request, "--logins")


@pytest.fixture
def damaged_requests(request: pytest.FixtureRequest) -> int:
    """Returns how many damaged requests are sent over each version of HTTP."""
    return _chosen(request, "--requests")


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """Yields the toy service with limits that no test reaches."""
    async with running_house(work, clock, tmp_path) as running:
        yield running


@pytest.fixture(scope="package")
def confirming_actors(postgres: EmbeddedPostgres) -> Iterator[Actors]:
    """Yields the accounts of an instance with REGISTRATION_CONFIRM_EMAIL."""
    with asyncio.Runner() as runner:
        database = copied_database(postgres)
        url = runner.run(database.__aenter__())
        with running_instance(url, registration_confirm_email=True) as running, Actors(running) as actors:
            yield actors
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture(scope="package")
def sender(instance: RunningInstance) -> Sender:
    """Returns the delivery worker of the shared instance's emails."""
    return Sender(instance.home)
