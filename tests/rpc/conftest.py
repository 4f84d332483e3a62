"""The stage of the access tests, and the number of rounds of this folder's races."""

import pytest

from tests.fixtures.actors import Actors
from tests.rpc.signed_in_stage import SignedInStage


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option of `pytest tests/rpc --rounds=50`, which races over 50 prescriptions."""
    parser.addoption("--rounds", type=int, default=6, help="prescriptions to race over, of each kind")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """Returns the prescriptions per race; 6 when the whole suite runs and the option is not registered."""
    return int(request.config.getoption("--rounds", 6))


@pytest.fixture(scope="module")
def stage(actors: Actors) -> SignedInStage:
    """Returns the people of the access table on the shared instance, new for each module to keep lists short."""
    return SignedInStage(actors)
