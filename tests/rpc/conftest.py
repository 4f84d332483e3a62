"""The stage of the access tests, and how long the races of this folder run."""

import pytest

from tests.fixtures.actors import Actors
from tests.rpc.signed_in_stage import SignedInStage


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/rpc --rounds=50` races over 50 prescriptions."""
    parser.addoption("--rounds", type=int, default=6, help="prescriptions to race over, of each kind")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How many prescriptions each race is run over; 6 where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--rounds", 6))


@pytest.fixture(scope="module")
def stage(actors: Actors) -> SignedInStage:
    """The people of the access table, on the shared instance; anew for each module, so that lists stay short."""
    return SignedInStage(actors)
