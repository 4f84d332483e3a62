"""Repository of organisations and memberships."""

from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, exists, literal_column, select, text
from sqlalchemy.dialects.postgresql import insert

from server.auth.organisation_entities import MemberRight, Workplace
from server.auth.rules.organisations import match_key
from server.auth.storage.tables import memberships, organisations
from server.db.connection import Connection
from server.db.identifiers import new_id

_MAKE: Final = (
    insert(organisations)
    .on_conflict_do_nothing(index_elements=["kind", "match_key"], index_where=text("closed_at IS NULL"))
    .values({name: bindparam(name) for name in ("id", "kind", "name", "address", "match_key")})
)
_current = memberships.alias("current")
_JOIN: Final = insert(memberships).from_select(
    ["id", "user_id", "organisation_id", "member_right"],
    select(
        bindparam("id", type_=Uuid),
        bindparam("user_id", type_=Uuid),
        organisations.c.id,
        literal_column(f"'{MemberRight.MEMBER}'", Text),
    ).where(
        organisations.c.kind == bindparam("kind"),
        organisations.c.match_key == bindparam("match_key"),
        organisations.c.closed_at.is_(None),
        ~exists().where(_current.c.user_id == bindparam("user_id", type_=Uuid), _current.c.ended_at.is_(None)),
    ),
)


class OrganisationRepository:
    """Reads and writes organisations and memberships through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def join(self, user_id: UUID, workplace: Workplace) -> None:
        """Makes a locked account a member of the active organisation that a workplace names; makes that if necessary.

        Changes nothing for an account that is a member of any organisation.
        """
        named = {"kind": workplace.kind, "match_key": match_key(workplace.name, workplace.address)}
        made = {**named, "id": new_id(), "name": workplace.name, "address": workplace.address}
        await self._connection.execute(_MAKE, made)
        await self._connection.execute(_JOIN, {**named, "id": new_id(), "user_id": user_id})
