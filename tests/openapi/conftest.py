"""The number of generated calls in this folder."""

from typing import Final

import pytest

API_EXAMPLES: Final = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option: `pytest tests/openapi --api-examples=200` calls every operation 200 times."""
    parser.addoption("--api-examples", type=int, default=API_EXAMPLES, help="generated calls of each operation")


@pytest.fixture(scope="session")
def api_examples(request: pytest.FixtureRequest) -> int:
    """Returns the number of calls of each operation; 3 in the whole suite, where the option is not registered."""
    return int(request.config.getoption("--api-examples", API_EXAMPLES))
