"""Every control of the security page is proved by a test that carries its id as a marker."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.proofs import control, requirement
from tests.security.controls import CONTROLS

TESTS: Final = Path(__file__).parents[1]
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
ID_IN_NAME: Final = re.compile(r"test_[sr]\d{2,3}_")


def proofs(source: str) -> Iterator[str]:
    """Returns the ids of controls that the tests of a module carry."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, FUNCTIONS) or not node.name.startswith("test_"):
            continue
        for marker in node.decorator_list:
            if isinstance(marker, ast.Call) and ast.unparse(marker.func) == "control":
                yield from (ast.literal_eval(argument) for argument in marker.args)


@cache
def proved() -> set[str]:
    """Returns the ids that any test carries."""
    return {id_ for path in TESTS.rglob("test_*.py") for id_ in proofs(path.read_text())}


def test_every_control_has_a_test() -> None:
    missing = CONTROLS.keys() - proved()
    assert not missing, f"no test has the marker of {sorted(missing)}"


def test_no_test_proves_a_control_that_does_not_exist() -> None:
    assert proved() <= CONTROLS.keys()


def test_marker_of_unknown_control_or_requirement_is_refused() -> None:
    assert control("S38").args == ("S38",)
    with pytest.raises(AssertionError, match=r"no \['S999'\]"):
        control("S38", "S999")
    with pytest.raises(AssertionError, match=r"no \['R999'\]"):
        requirement("R999")


def test_ids_are_markers_and_no_parts_of_names() -> None:
    named = [
        f"{path.name}: {node.name}"
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, FUNCTIONS) and ID_IN_NAME.match(node.name)
    ]
    assert not named, "write the id as a marker, @control(…) or @requirement(…): " + ", ".join(named)


def test_a_proof_is_found_wherever_it_stands() -> None:
    source = (
        '@control("S7", "S8")\ndef test_x(): ...\n'
        'class TestX:\n    @control("S61")\n    async def test_y(self): ...\n'
        '@control("S62")\ndef helper(): ...\ndef test_z(): control("S63")\n'
    )
    assert set(proofs(source)) == {"S7", "S8", "S61"}
