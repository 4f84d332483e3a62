"""The toy service behind the server's own chain, for what is proved of the chain, and how long the heavy tests run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.interceptors.probe import House, running_house


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security --logins=4000` signs in for a minute and a half."""
    parser.addoption("--logins", type=int, default=60, help="sign-ins at once, 200 at a time")


@pytest.fixture(scope="session")
def logins(request: pytest.FixtureRequest) -> int:
    """How many sign-ins are sent; 60 where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--logins", 60))


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """The toy service with limits that no test reaches."""
    async with running_house(work, clock, tmp_path) as running:
        yield running
