"""An instance that confirms addresses, and what arrives there."""

import asyncio
from collections.abc import Iterator

import pytest

from server.db.embedded import EmbeddedPostgres
from tests.fixtures.cast import Cast
from tests.fixtures.database import copied_database
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.postman import Postman


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
