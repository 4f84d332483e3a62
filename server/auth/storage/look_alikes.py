"""Repository of names that look the same as those of an account which waits for verification."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, bindparam, func, literal_column, select

from server.auth.entities import LookAlikes, User, UserStatus
from server.auth.organisation_entities import Workplace
from server.auth.rules.look_alikes import latin_look_alikes
from server.auth.storage.accounts import USER_COLUMNS, user_of
from server.auth.storage.tables import organisations, users
from server.db.connection import Connection
from server.identity import Role

MOST: Final = 20
"""No more accounts and workplaces are returned."""


def _folded(name: ColumnElement[str]) -> ColumnElement[str]:
    return func.lower(func.normalize(name, literal_column("NFKC")))


def _shape(name: ColumnElement[str]) -> ColumnElement[str]:
    """Returns a name with Latin letters in the place of those that look like them."""
    letters, latin = bindparam("letters", type_=Text), bindparam("latin", type_=Text)
    return func.lower(func.translate(func.normalize(name, literal_column("NFKC")), letters, latin))


_name = bindparam("name", type_=Text)
_ACCOUNTS: Final = (
    select(*USER_COLUMNS)
    .where(
        users.c.role.in_([Role.DOCTOR, Role.PHARMACIST]),
        users.c.status != UserStatus.DEACTIVATED,
        users.c.id != bindparam("user_id"),
        _shape(users.c.full_name) == _shape(_name),
    )
    .order_by(users.c.created_at, users.c.id)
    .limit(MOST)
)
_WORKPLACES: Final = (
    select(organisations.c.name)
    .distinct()
    .where(
        organisations.c.kind == bindparam("kind"),
        organisations.c.closed_at.is_(None),
        _folded(organisations.c.name) != _folded(_name),
        _shape(organisations.c.name) == _shape(_name),
    )
    .order_by(organisations.c.name)
    .limit(MOST)
)


class LookAlikeRepository:
    """Reads names through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of(self, user: User, workplace: Workplace | None) -> LookAlikes:
        """Returns the other accounts of staff and the other workplaces whose names look the same."""
        letters, latin = latin_look_alikes()
        shapes: dict[str, Any] = {"letters": letters, "latin": latin}
        same = {**shapes, "name": user.full_name, "user_id": user.id}
        accounts = tuple(user_of(row) for row in await self._connection.rows(_ACCOUNTS, same))
        if workplace is None:
            return LookAlikes(accounts, ())
        places = {**shapes, "name": workplace.name, "kind": workplace.kind}
        return LookAlikes(accounts, tuple(await self._connection.scalars(_WORKPLACES, places)))
