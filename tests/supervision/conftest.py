"""The options of the supervision tests: short runs by default, long ones on request."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds options; docs/contributing/testing.md lists the long run."""
    parser.addoption("--part-kills", type=int, default=1, help="kills of each part of an instance")


@pytest.fixture
def part_kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--part-kills", 1))
