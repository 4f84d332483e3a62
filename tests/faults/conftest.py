"""The options of the fault tests: short runs by default, long ones on request."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds options; docs/contributing/testing.md lists the long run."""
    parser.addoption("--kills", type=int, default=1, help="kills at each fault point; a hundredfold of them at random")
    parser.addoption("--mails", type=int, default=100, help="emails of the longer runs")
    parser.addoption("--outage", type=float, default=2, help="seconds for which the mail server is away")
    parser.addoption("--sigterms", type=int, default=1, help="stops of replicas under load")
    parser.addoption("--watchers", type=int, default=100, help="watchers that never read")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills", 1))


@pytest.fixture
def mails(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--mails", 100))


@pytest.fixture
def outage(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--outage", 2))


@pytest.fixture
def watchers(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--watchers", 100))


@pytest.fixture
def sigterms(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--sigterms", 1))
