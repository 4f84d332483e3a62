"""Fixtures: a client of a scripted service, with a clock that tests control."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from medconnect_client import AsyncClient, Client, Clock, Progress
from medconnect_client._blocking import LOOP

from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD, RunningInstance
from tests.fixtures.scripted_service import ScriptedService, scripted_service

FAULT_ROUNDS = 2
TERMINAL_SECONDS = 1.0


class TurnedClock:
    """A clock whose sleeps return at once, are recorded, and advance its time."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.moment = datetime(2026, 12, 1, 10, tzinfo=UTC)
        self.seconds = 1000.0
        self.clock = Clock(now=lambda: self.moment, monotonic=lambda: self.seconds, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.forward(seconds)

    def forward(self, seconds: float) -> None:
        self.seconds += seconds
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def turned() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedService]:
    async with scripted_service() as service:
        yield service


@pytest.fixture
def progress() -> list[Progress]:
    return []


@pytest.fixture
async def client(
    scripted: ScriptedService, turned: TurnedClock, progress: list[Progress]
) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(scripted.address, clock=turned.clock, observer=progress.append) as opened:
        yield opened


class Service:
    """Runs a scripted service in the event loop of the blocking clients."""

    def __init__(self) -> None:
        self._manager = scripted_service()
        self.script: ScriptedService = LOOP.run(self._manager.__aenter__())

    def stop(self) -> None:
        LOOP.run(self._manager.__aexit__(None, None, None))


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options; `pytest tests/client --fault-rounds=200 --terminal-seconds=60` is the long run."""
    parser.addoption("--fault-rounds", type=int, default=FAULT_ROUNDS, help="prescriptions for each fault")
    parser.addoption("--terminal-seconds", type=float, default=TERMINAL_SECONDS, help="how long 100 terminals work")


@pytest.fixture(scope="session")
def fault_rounds(request: pytest.FixtureRequest) -> int:
    """Returns the number of dispenses under each fault; few in the whole suite, where the option is not registered."""
    return int(request.config.getoption("--fault-rounds", FAULT_ROUNDS))


@pytest.fixture(scope="session")
def terminal_seconds(request: pytest.FixtureRequest) -> float:
    """Returns the seconds for which the terminals work concurrently."""
    return float(request.config.getoption("--terminal-seconds", TERMINAL_SECONDS))


@pytest.fixture(scope="module")
def admin(instance: RunningInstance) -> Iterator[Client]:
    with Client(instance.grpc) as client:
        client.sign_in(ADMIN_EMAIL, ADMIN_PASSWORD)
        yield client
