"""A matrix of cells runs them all in one test, and names each that fails."""

import pytest

from tests.fixtures.cells import cells

pytest_plugins = ["pytester"]

MODULE = """
import pytest
from tests.fixtures.cells import cells

@pytest.fixture
def limit():
    return 5

@cells("a, b", [(1, 2), (3, 4), pytest.param(5, 6, id="large")])
@cells("face", ["grpc", "rest"])
def test_sum(limit, face, a, b):
    assert a + b < limit

@cells("n", {"one": 1, "two": 2}.items(), ids=lambda pair: pair[0])
async def test_async(n):
    assert n[1] == 1
"""


def test_failing_cells_are_named_and_others_still_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MODULE)
    asynchronous = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", *asynchronous)
    for name in ("grpc-3-4", "rest-3-4", "grpc-large", "rest-large"):
        result.stdout.fnmatch_lines([f"*_ test_sum [[]{name}[]] _*"])
    result.stdout.fnmatch_lines(["*_ test_async [[]two[]] _*"])
    result.stdout.fnmatch_lines(["7 failed, 3 subtests passed in *"])  # 5 cells and their 2 tests


def test_matrix_without_rows_or_of_unknown_arguments_is_refused() -> None:
    with pytest.raises(AssertionError, match="without cells"):
        cells("n", [])
    with pytest.raises(AssertionError, match="does not take"):
        cells("n", [1])(lambda m: m)
