"""The toy service behind the server's own chain, for what is proved of the chain, and how long the long tests run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.interceptors.probe import House, running_house


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security --audit-records=100000 --logins=4000` verifies and signs in as often."""
    parser.addoption("--audit-records", type=int, default=5000, help="records of the audit to seal and verify")
    parser.addoption("--logins", type=int, default=60, help="sign-ins, 200 at a time")


@pytest.fixture(scope="session")
def audit_records(request: pytest.FixtureRequest) -> int:
    """How many records are sealed and verified; 5,000 where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--audit-records", 5000))


@pytest.fixture(scope="session")
def logins(request: pytest.FixtureRequest) -> int:
    """How many sign-ins are sent; 60 where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--logins", 60))


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """The toy service with limits that no test reaches."""
    async with running_house(work, clock, tmp_path) as running:
        yield running
