"""Every control of the security page is proved by a test that is named after it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.security.controls import CONTROLS

TESTS: Final = Path(__file__).parents[1]
NAME: Final = re.compile(r"test_s(\d\d)_")


def proofs(source: str) -> Iterator[str]:
    """Returns the ids in the names of a module's tests."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (found := NAME.match(node.name)):
            yield f"S{int(found[1])}"


def proved() -> set[str]:
    """Returns the ids that any test names."""
    return {control for path in TESTS.rglob("test_*.py") for control in proofs(path.read_text())}


def test_every_control_has_a_test() -> None:
    missing = CONTROLS.keys() - proved()
    assert not missing, f"no test is named after {sorted(missing)}"


def test_no_test_is_named_after_a_control_that_does_not_exist() -> None:
    assert proved() <= CONTROLS.keys()


def test_a_proof_is_found_wherever_it_stands() -> None:
    source = "def test_s07_x(): ...\nclass TestX:\n    async def test_s61_y(self): ...\ndef test_s_z(): test_s62_()\n"
    assert set(proofs(source)) == {"S7", "S61"}
