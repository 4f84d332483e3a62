"""How long the long tests of this folder run; an instance that confirms addresses, and what arrives."""

import asyncio
from collections.abc import Iterator

import pytest

from server.db.embedded import EmbeddedPostgres
from tests.fixtures.cast import Cast
from tests.fixtures.database import copied_database
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.postman import Postman


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security --audit-records=100000` verifies as many."""
    parser.addoption("--audit-records", type=int, default=5000, help="records of the audit to seal and verify")


@pytest.fixture(scope="session")
def audit_records(request: pytest.FixtureRequest) -> int:
    """How many records are sealed and verified; 5,000 where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--audit-records", 5000))


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
