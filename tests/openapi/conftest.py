"""How long the calls of this folder go on."""

from typing import Final

import pytest

API_EXAMPLES: Final = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/openapi --api-examples=200` calls every operation so often."""
    parser.addoption("--api-examples", type=int, default=API_EXAMPLES, help="generated calls of each operation")


@pytest.fixture(scope="session")
def api_examples(request: pytest.FixtureRequest) -> int:
    """How often each operation is called; 3 times where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--api-examples", API_EXAMPLES))
