"""How long the tests of this folder try."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security -k mutated --mutations=100000` sends so many damaged bodies."""
    parser.addoption("--mutations", type=int, default=None, help="damaged protobuf bodies to send; of JSON a twentieth")
    parser.addoption("--seed", type=int, default=None, help="what decides on the damage")


@pytest.fixture(scope="session")
def mutations(request: pytest.FixtureRequest) -> int | None:
    """How many damaged bodies to send, if that was said."""
    count: int | None = request.config.getoption("--mutations", None)
    return count
