"""Keyset pagination of lists with optional filters."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Integer,
    ScalarSelect,
    Select,
    Table,
    Uuid,
    bindparam,
    func,
    select,
    tuple_,
)

from server.db.connection import Connection, Row
from server.pagination import COUNT_LIMIT, MAX_PAGE_SIZE, MomentAndId

Values = Mapping[str, object]

_LIMIT: Final = bindparam("limit", type_=Integer)
MOMENT_CURSOR: Final = (bindparam("after_moment", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid))
"""The cursor of lists in the order of a time, then the id; `after_moment` gives its values."""


def after_moment(key: MomentAndId | None) -> Values:
    """Returns the values of MOMENT_CURSOR that continue a list after a row; None for the first page."""
    return {} if key is None else {"after_moment": key[0], "after_id": key[1]}


class KeysetQuery:
    """A paginated list; the statement of each combination of filters is built once, when it is first used.

    rows: the select of a line. table: its rows are the lines; conditions name no other table, so that totals are
    counted without joins. conditions: by the name of their parameter. order: the sort columns, the last one unique.
    cursor: the parameters for the values of these columns in the last line of the page before. selective: filters whose
    index returns lines unordered. with_audit: adds the audit record of the access to a page's statement.
    """

    def __init__(
        self,
        rows: Select[Any],
        table: Table,
        *,
        conditions: Mapping[str, ColumnElement[bool]],
        order: Sequence[Column[Any]],
        cursor: Sequence[ColumnElement[Any]],
        descending: bool = True,
        selective: Collection[str] = (),
        with_audit: Callable[[Select[Any]], Select[Any]],
    ) -> None:
        self._rows = rows
        self._table = table
        self._conditions = conditions
        self._order = order
        self._position = tuple_(*order)
        self._cursor = tuple_(*cursor)
        self._descending = descending
        self._selective = frozenset(selective)
        self._with_audit = with_audit
        self._pages: dict[tuple[frozenset[str], bool], Select[Any]] = {}
        self._totals: dict[frozenset[str], Select[Any]] = {}

    async def fetch(
        self,
        connection: Connection,
        filters: Mapping[str, object | None],
        cursor: Values,
        size: int,
        record: Values,
    ) -> tuple[Sequence[Row], int]:
        """Returns up to `size` + 1 lines after the cursor, and the total of the filters, counted to COUNT_LIMIT + 1.

        An empty cursor starts the list; filters that are None do not apply. record: the parameters of `with_audit`.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        names = frozenset(given)
        statement = self._page(names, continued=bool(cursor))
        rows = await connection.rows(statement, {**given, **cursor, **record, "limit": size + 1})
        if rows or not cursor:
            return rows, rows[0]["found"] if rows else 0
        return rows, await connection.scalar(self._total(names), given)  # no line after the cursor matches any more

    def _page(self, given: frozenset[str], *, continued: bool) -> Select[Any]:
        page = self._pages.get((given, continued))
        if page is None:
            page = self._build(given, continued=continued)
            self._pages[given, continued] = page
        return page

    def _total(self, given: frozenset[str]) -> Select[Any]:
        total = self._totals.get(given)
        if total is None:
            total = self._totals[given] = select(self._count_found(given))
        return total

    def _build(self, given: frozenset[str], *, continued: bool) -> Select[Any]:
        wanted = [self._conditions[name] for name in sorted(given)]
        if continued:
            wanted.append(self._position < self._cursor if self._descending else self._position > self._cursor)
        if given & self._selective:
            wanted = [self._table.c.id.in_(self._select_ids(wanted))]
        page = self._rows.add_columns(self._count_found(given).label("found")).where(*wanted)
        return self._with_audit(_limited(page.order_by(*map(self._apply_direction, self._order))))

    def _select_ids(self, wanted: Iterable[ColumnElement[bool]]) -> Select[Any]:
        """Returns a select of a page's ids, sorted by the order's columns as one row value, before any join.

        No index has this row value, so PostgreSQL uses the filter's index. With an index on the order it would read
        lines in order until enough of them match the filter: nearly all of a million patients, for a name late in the
        alphabet.
        """
        ids = select(self._table.c.id).where(*wanted).correlate(None)
        return _limited(ids.order_by(self._apply_direction(self._position)))

    def _apply_direction(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return value.desc() if self._descending else value

    def _count_found(self, given: Iterable[str]) -> ScalarSelect[int]:
        conditions = (self._conditions[name] for name in sorted(given))
        lines = select(self._table.c.id).select_from(self._table).where(*conditions)
        counted = lines.limit(COUNT_LIMIT + 1).subquery()
        return select(func.count()).select_from(counted).scalar_subquery()


def _limited(rows: Select[Any]) -> Select[Any]:
    """Returns the first rows of a query, up to the parameter `limit`.

    The constant inside tells PostgreSQL how few they are at most. It plans a statement before it knows the values, and
    would expect a tenth of the table for an unknown limit.
    """
    return select(rows.limit(MAX_PAGE_SIZE + 1).subquery("limited")).limit(_LIMIT)
