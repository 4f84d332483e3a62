"""Compiles statements of SQLAlchemy Core to SQL, once for each statement."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, object]
"""The values of a statement's parameters, by their names."""

_DIALECT: Final = asyncpg.dialect()  # type: ignore[no-untyped-call]


class CompiledStatement:
    """A statement as SQL with numbered parameters.

    sql: with `$1`, `$2`, … as asyncpg expects. arguments: returns the parameters' values in the order of their numbers,
    and raises KeyError for a missing one. literals: the names of the parameters whose values are written into the SQL.
    """

    __slots__ = ("arguments", "literals", "sql", "variants")

    def __init__(
        self, sql: str, arguments: Callable[[Values], tuple[Any, ...]], literals: tuple[str, ...] = ()
    ) -> None:
        self.sql = sql
        self.arguments = arguments
        self.literals = literals
        self.variants: dict[tuple[object, ...], CompiledStatement] = {}
        """The forms of the same statement, by the values of `literals`."""


_compiled: Final[WeakKeyDictionary[Executable, CompiledStatement]] = WeakKeyDictionary()


def compiled_statement(statement: Executable, values: Values) -> CompiledStatement:
    """Returns the compiled form of a statement.

    values: those of its first execution; every other execution must have the same names, because the names of an
    insert's or update's values belong to its SQL. A parameter with `literal_execute` is written into the SQL, which is
    compiled for each of its values: it may have few.
    """
    found = _compiled.get(statement)
    if found is None:
        found = _compiled[statement] = _compile(statement, values)
    return _variant(found, statement, values) if found.literals else found


def _variant(first: CompiledStatement, statement: Executable, values: Values) -> CompiledStatement:
    written = tuple(values[name] for name in first.literals)
    found = first.variants.get(written)
    if found is None:
        found = first.variants[written] = _compile(statement, values)
    return found


def _compile(statement: Any, values: Values) -> CompiledStatement:  # noqa: ANN401 - `compile` is not part of Executable
    compiled: SQLCompiler = statement.compile(dialect=_DIALECT, column_keys=list(values))
    expanded = compiled.construct_expanded_state(values)  # writes the constants of an IN list one by one
    if lists := expanded.parameter_expansion.keys() & values.keys():
        raise TypeError(f"the SQL would depend on the length of {', '.join(lists)}: compare with any_() of an array")
    names = tuple(expanded.positiontup or ())
    constants = {name: expanded.parameters[name] for name in names if name not in compiled.binds} | {
        name: compiled.binds[name].value
        for name in names
        if name in compiled.binds and not compiled.binds[name].required
    }
    literals = sorted(compiled.bind_names[parameter] for parameter in compiled.literal_execute_params)
    given = tuple(name for name in literals if name in values)
    return CompiledStatement(expanded.statement, _arguments(names, constants), given)


def _arguments(names: tuple[str, ...], constants: Values) -> Callable[[Values], tuple[Any, ...]]:
    """Returns the function that puts values and constants in order; a value replaces a constant of the same name."""
    if not names:
        return lambda _: ()
    if len(names) == 1:
        [name] = names
        return lambda values: (values[name] if name in values else constants[name],)
    ordered = itemgetter(*names)
    if not constants:
        return ordered
    return lambda values: ordered({**constants, **values})
