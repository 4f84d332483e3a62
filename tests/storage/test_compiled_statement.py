"""Tests how statements become SQL with numbered parameters."""

import gc
import weakref

import pytest
from sqlalchemy import Integer, Text, Uuid, any_, bindparam, column, insert, select, table, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from server.db import compiled_statement as module
from server.db.compiled_statement import compiled_statement

NOTES = table("notes", column("id", Uuid), column("size", Integer), column("note", Text))


def test_parameters_are_numbered_once_and_ordered() -> None:
    statement = text("SELECT :b, :a, :b")
    compiled = compiled_statement(statement, {"a": 1, "b": 2})
    assert (compiled.sql, compiled.arguments({"a": 1, "b": 2})) == ("SELECT $1, $2, $1", (2, 1))


def test_statement_is_compiled_once_and_forgotten_with_it() -> None:
    statement = select(NOTES.c.id)
    assert compiled_statement(statement, {}) is compiled_statement(statement, {})
    assert statement in module._compiled
    alive = weakref.ref(statement)
    del statement
    gc.collect()
    assert alive() is None


def test_constants_are_kept_even_if_they_are_none() -> None:
    statement = text("SELECT :given, :nothing, :seven").bindparams(nothing=None, seven=7)
    assert compiled_statement(statement, {"given": 1}).arguments({"given": 1}) == (1, None, 7)


@pytest.mark.parametrize("first", [{}, {"limit": 5}])
def test_value_replaces_a_constant_for_its_execution_only(first: dict[str, object]) -> None:
    compiled = compiled_statement(text("SELECT :limit").bindparams(limit=3), first)
    assert [compiled.arguments(values) for values in ({"limit": 9}, {})] == [(9,), (3,)]


def test_missing_value_is_an_error() -> None:
    for statement in (text("SELECT :a"), text("SELECT :a, :b")):
        compiled = compiled_statement(statement, {"a": 1, "b": 2})
        with pytest.raises(KeyError):
            compiled.arguments({"b": 2})


def test_names_of_values_belong_to_an_insert_and_an_update() -> None:
    inserted = compiled_statement(insert(NOTES), {"size": 1, "note": "x"})
    assert "(size, note)" in inserted.sql
    assert inserted.arguments({"size": 1, "note": "x"}) == (1, "x")
    changed = compiled_statement(update(NOTES).where(NOTES.c.id == bindparam("which")), {"which": 1, "note": "x"})
    assert "SET note=" in changed.sql
    assert sorted(map(str, changed.arguments({"which": 1, "note": "x"}))) == ["1", "x"]


def test_constants_of_an_in_list_are_written_one_by_one() -> None:
    statement = select(NOTES.c.id).where(NOTES.c.note.in_(["a", "b"]), NOTES.c.size == bindparam("size"))
    compiled = compiled_statement(statement, {"size": 1})
    assert sorted(map(str, compiled.arguments({"size": 1}))) == ["1", "a", "b"]


def test_list_of_given_values_is_refused_in_favour_of_an_array() -> None:
    with pytest.raises(TypeError, match="any_"):
        compiled_statement(select(NOTES).where(NOTES.c.size.in_(bindparam("sizes", expanding=True))), {"sizes": [1]})
    array = select(NOTES).where(NOTES.c.size == any_(bindparam("sizes", type_=ARRAY(Integer))))
    assert compiled_statement(array, {"sizes": [1]}).arguments({"sizes": [1]}) == ([1],)


def test_literal_parameter_is_written_for_each_of_its_values() -> None:
    note = bindparam("note", type_=Text, literal_execute=True)
    statement = select(NOTES.c.id).where(NOTES.c.note == note, NOTES.c.size == bindparam("size"))
    for text_given in ("a", "b", "a"):
        values = {"note": text_given, "size": 1}
        compiled = compiled_statement(statement, values)
        assert (f"note = '{text_given}'" in compiled.sql, compiled.arguments(values)) == (True, (1,))
        assert compiled_statement(statement, values) is compiled
