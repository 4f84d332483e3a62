"""Every control of the security page is proved by a test that is named after it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.security.controls import CONTROLS

TESTS: Final = Path(__file__).parents[1]
NAME: Final = re.compile(r"test_s(\d\d)_")

PENDING: Final = frozenset(
    {
        *("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16", "S17"),
        *("S18", "S19", "S20", "S21", "S22", "S23", "S24", "S25", "S26", "S27", "S28", "S29", "S36", "S39", "S40"),
        *("S42", "S43", "S44", "S45", "S46", "S47"),
        *("S64", "S65", "S66", "S67", "S68", "S70", "S71", "S77", "S78"),
    }
)
"""Controls that no test names yet; whoever adds a test takes its control out."""


def proofs(source: str) -> Iterator[str]:
    """The ids in the names of a module's tests."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (found := NAME.match(node.name)):
            yield f"S{int(found[1])}"


def proved() -> set[str]:
    """The ids that any test names."""
    return {control for path in TESTS.rglob("test_*.py") for control in proofs(path.read_text())}


def test_every_control_has_a_test() -> None:
    missing = CONTROLS.keys() - proved() - PENDING
    assert not missing, f"no test is named after {sorted(missing)}"


def test_no_control_is_said_to_be_pending_that_has_a_test() -> None:
    assert not (done := PENDING & proved()), f"take {sorted(done)} out of PENDING"


def test_no_test_is_named_after_a_control_that_does_not_exist() -> None:
    assert proved() | PENDING <= CONTROLS.keys()


def test_a_proof_is_found_wherever_it_stands() -> None:
    source = "def test_s07_x(): ...\nclass TestX:\n    async def test_s61_y(self): ...\ndef test_s_z(): test_s62_()\n"
    assert set(proofs(source)) == {"S7", "S61"}
