"""The baselines repeat what the server was recorded with, and the report judges what was measured."""

from uuid import UUID, uuid4

import pytest

from benchmarks.baselines import another
from benchmarks.plan import Exchange, Statement
from benchmarks.rehearsal import new_positions, usual, with_fresh
from benchmarks.runs.smoke import GROWTH, SMOKED, grown, read_reference

INSERT = "INSERT INTO things VALUES ($1, $2, $3)"
JSON = f'{{"log_id": "{UUID(int=7)}"}}'
TOUCH = "UPDATE sessions SET touched_at = now() WHERE id = $1"


def exchange(*parameters: object, touched: object = None) -> Exchange:
    statements = [Statement(INSERT, parameters, many=False, in_transaction=True)]
    if touched is not None:
        statements.insert(0, Statement(TOUCH, (touched,), many=False, in_transaction=True))
    return Exchange(b"request", tuple(statements), b"response")


def test_parameters_that_differ_are_new_in_every_call() -> None:
    one, other = (exchange(uuid4(), 7, ["same", made]) for made in ("a", "b"))
    fresh = with_fresh(one, new_positions(one, other)).fresh
    assert set(fresh) == {one.statements[0].parameters[0], "a"}


def test_new_parameters_of_another_type_are_left_alone() -> None:
    one, other = exchange("a", 1, 2), exchange("b", 1, 2)
    unlike = exchange(None, 1, 2)  # such a parameter once ended F1 with a TypeError
    assert with_fresh(unlike, new_positions(one, other)).fresh == ()


def test_an_additional_statement_does_not_shift_parameters() -> None:
    one, other = exchange("a", 1, 2), exchange("b", 1, 2)
    rare = exchange("c", 1, 2, touched=7)
    assert with_fresh(rare, new_positions(one, other)).fresh == ("c",)
    assert usual([one, rare, other]) == (one, other)


@pytest.mark.parametrize("value", [UUID(int=7), b"nonce", "RX-20250101-ABCDEFGH", JSON])
def test_another_value_has_same_type_and_length(value: UUID | bytes | str) -> None:
    made = another(value)
    assert type(made) is type(value)
    assert made != value
    assert len(str(made)) == len(str(value)) or isinstance(value, bytes)
    assert not isinstance(value, str) or value[0] != "{" or str(made)[0] == "{"


def test_ratio_that_grew_by_more_than_a_third_is_found() -> None:
    reference = {"ScanQrCode": {"F1": 1.5}}
    assert list(grown({"ScanQrCode": {"F1": 1.5 * GROWTH - 0.01}}, reference)) == []
    assert len(list(grown({"ScanQrCode": {"F1": 1.5 * GROWTH + 0.01}}, reference))) == 1


def test_reference_has_a_ratio_of_each_smoked_call() -> None:
    reference = read_reference()
    assert {name: set(ratios) for name, ratios in reference.items()} == {name: set(SMOKED[name]) for name in SMOKED}
    assert all(1 < ratio < 20 for ratios in reference.values() for ratio in ratios.values())
