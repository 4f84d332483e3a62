"""What the tests of access share."""

import pytest

from tests.fixtures.cast import Cast
from tests.rpc.stage import Stage


@pytest.fixture(scope="module")
def stage(cast: Cast) -> Stage:
    """The people of the access table, on the shared instance; anew for each module, so that lists stay short."""
    return Stage(cast)
