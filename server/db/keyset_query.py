"""Lists that may be narrowed in many ways, a keyset page at a time."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Integer, Row, ScalarSelect, Select, Table, bindparam, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from server.pagination import COUNT_LIMIT

Values = Mapping[str, object]

_LIMIT: Final = bindparam("limit", type_=Integer)


class KeysetQuery:
    """A list by its parts; the statement of each combination of filters is built once, when it is first asked for.

    rows: the select of a line. table: whose rows are lines, and the only one that conditions name, so that totals are
    counted without joins. conditions: by the parameter that each takes. order: the columns by which lines stand, the
    last one tells them apart. cursor: what these are in the line that a page begins behind. selective: filters whose
    index finds their lines in no order. with_audit: makes a page's statement one that also records the reading.
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
        self._place = tuple_(*order)
        self._cursor = tuple_(*cursor)
        self._descending = descending
        self._selective = frozenset(selective)
        self._with_audit = with_audit
        self._pages: dict[tuple[frozenset[str], bool], Select[Any]] = {}

    async def fetch(
        self,
        connection: AsyncConnection,
        filters: Mapping[str, object | None],
        cursor: Values,
        size: int,
        record: Values,
    ) -> tuple[Sequence[Row[Any]], int]:
        """Up to `size` + 1 lines behind the cursor, and how many lines the filters find, counted to COUNT_LIMIT + 1.

        An empty cursor starts the list; filters that are None do not narrow it. record: what `with_audit` records.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        statement = self._page(frozenset(given), continued=bool(cursor))
        rows = (await connection.execute(statement, {**given, **cursor, **record, "limit": size + 1})).all()
        if rows or not cursor:
            return rows, rows[0].found if rows else 0
        count = select(self._count_found(given))  # what was behind the cursor has left the filter meanwhile
        return rows, (await connection.execute(count, given)).scalar_one()

    def _page(self, given: frozenset[str], *, continued: bool) -> Select[Any]:
        page = self._pages.get((given, continued))
        if page is None:
            page = self._build(given, continued=continued)
            self._pages[given, continued] = page
        return page

    def _build(self, given: frozenset[str], *, continued: bool) -> Select[Any]:
        wanted = [self._conditions[name] for name in sorted(given)]
        if continued:
            wanted.append(self._place < self._cursor if self._descending else self._place > self._cursor)
        if given & self._selective:
            wanted = [self._table.c.id.in_(self._select_ids(wanted))]
        page = self._rows.add_columns(self._count_found(given).label("found")).where(*wanted)
        return self._with_audit(page.order_by(*map(self._apply_direction, self._order)).limit(_LIMIT))

    def _select_ids(self, wanted: Iterable[ColumnElement[bool]]) -> Select[Any]:
        """The ids of a page, sorted by the order's columns as one value, before anything is joined to them.

        No index has that value. With one to hand PostgreSQL would read all lines in their order until it has met enough
        that a sought filter lets through: of a million patients nearly all, for a name late in the alphabet.
        """
        ids = select(self._table.c.id).where(*wanted).correlate(None)
        return ids.order_by(self._apply_direction(self._place)).limit(_LIMIT)

    def _apply_direction(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        return value.desc() if self._descending else value

    def _count_found(self, given: Iterable[str]) -> ScalarSelect[int]:
        conditions = (self._conditions[name] for name in sorted(given))
        lines = select(self._table.c.id).select_from(self._table).where(*conditions)
        counted = lines.limit(COUNT_LIMIT + 1).subquery()
        return select(func.count()).select_from(counted).scalar_subquery()
