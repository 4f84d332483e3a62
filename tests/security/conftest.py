"""How long the heavy tests of this folder run; an instance that confirms addresses, and what arrives."""

import asyncio
from collections.abc import Iterator

import pytest

from server.db.embedded import EmbeddedPostgres
from tests.fixtures.cast import Cast
from tests.fixtures.database import copied_database
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.postman import Postman

OPTIONS = {
    "--audit-records": (5_000, "records of the audit to seal and verify"),
    "--flood": (150_000, "addresses that flood the limiter; 1,000,000 take 20 s"),
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


@pytest.fixture(scope="package")
def confirming(postgres: EmbeddedPostgres) -> Iterator[Cast]:
    """People on an instance with REGISTRATION_CONFIRM_EMAIL."""
    with asyncio.Runner() as runner:
        database = copied_database(postgres)
        url = runner.run(database.__aenter__())
        with running_instance(url, registration_confirm_email=True) as running, Cast(running) as actors:
            yield actors
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture(scope="package")
def postman(instance: RunningInstance) -> Postman:
    """Who delivers the mails of the shared instance."""
    return Postman(instance.home)
