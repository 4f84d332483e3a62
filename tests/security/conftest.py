"""How long the heavy tests of this folder run."""

import pytest

OPTIONS = {
    "--audit-records": (5_000, "records of the audit to seal and verify"),
    "--flood": (200_000, "addresses that flood the limiter; 1,000,000 take 20 s"),
    "--resets": (2_000, "streams that one connection opens and resets"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security --audit-records=100000 --flood=1000000 --resets=20000` runs them in full."""
    for name, (default, what) in OPTIONS.items():
        parser.addoption(name, type=int, default=default, help=what)


def _chosen(request: pytest.FixtureRequest, name: str) -> int:
    """The default too where the option is not known because the whole suite runs."""
    return int(request.config.getoption(name, OPTIONS[name][0]))


@pytest.fixture(scope="session")
def audit_records(request: pytest.FixtureRequest) -> int:
    """How many records are sealed and verified."""
    return _chosen(request, "--audit-records")


@pytest.fixture
def flood(request: pytest.FixtureRequest) -> int:
    """How many addresses flood the limiter."""
    return _chosen(request, "--flood")


@pytest.fixture
def resets(request: pytest.FixtureRequest) -> int:
    """How many streams one connection opens and resets."""
    return _chosen(request, "--resets")
