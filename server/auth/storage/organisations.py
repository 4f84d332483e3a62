"""Repository of organisations, and of joining the one that an account's free text names."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, exists, func, literal_column, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_row
from server.auth.organisation_entities import (
    MemberRight,
    NewOrganisation,
    Organisation,
    OrganisationFilter,
    OrganisationKind,
    Workplace,
)
from server.auth.rules.organisations import fold, match_key
from server.auth.storage.tables import memberships, organisations
from server.db.connection import Connection, Row, UniqueViolation
from server.db.identifiers import new_id
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, after_moment
from server.errors import NotFound, OrganisationExists
from server.identity import Caller, Role
from server.pagination import MomentAndId

ORGANISATION_COLUMNS: Final = (
    organisations.c.id,
    organisations.c.kind,
    organisations.c.name,
    organisations.c.register_number,
    organisations.c.address,
    organisations.c.phone,
    organisations.c.created_at,
    organisations.c.closed_at,
)
"""The columns from which `organisation_of` creates an entity."""
_STORED: Final = ("kind", "name", "register_number", "address", "phone", "match_key")

_make = insert(organisations).on_conflict_do_nothing(
    index_elements=["kind", "match_key"], index_where=text("closed_at IS NULL")
)
_MAKE: Final = _make.values({name: bindparam(name) for name in ("id", "kind", "name", "address", "match_key")})
_INSERT: Final = _make.values({name: bindparam(name) for name in ("id", *_STORED)}).returning(*ORGANISATION_COLUMNS)
_current = memberships.alias("current")
# The organisation is locked, so that it cannot be closed before the membership is seen.
_JOIN: Final = insert(memberships).from_select(
    ["id", "user_id", "organisation_id", "member_right"],
    select(
        bindparam("id", type_=Uuid),
        bindparam("user_id", type_=Uuid),
        organisations.c.id,
        literal_column(f"'{MemberRight.MEMBER}'", Text),
    )
    .where(
        organisations.c.kind == bindparam("kind"),
        organisations.c.match_key == bindparam("match_key"),
        organisations.c.closed_at.is_(None),
        ~exists().where(_current.c.user_id == bindparam("user_id", type_=Uuid), _current.c.ended_at.is_(None)),
    )
    .with_for_update(read=True, of=organisations),
)
# An organisation that the caller does not administer is indistinguishable from one that does not exist.
_ADMINISTERED: Final = select(*ORGANISATION_COLUMNS).where(
    organisations.c.id == bindparam("organisation_id"),
    or_(
        bindparam("is_admin", type_=Boolean),
        exists().where(
            memberships.c.user_id == bindparam("caller_id", type_=Uuid),
            memberships.c.organisation_id == organisations.c.id,
            memberships.c.member_right == literal_column("'administrator'"),
            memberships.c.ended_at.is_(None),
        ),
    ),
)
_READ: Final = audited_row(_ADMINISTERED, "organisation")
_LOCK: Final = (
    select(*ORGANISATION_COLUMNS)
    .where(organisations.c.id == bindparam("organisation_id"))
    .with_for_update(key_share=True)
)
_SAVE: Final = (
    update(organisations)
    .where(organisations.c.id == bindparam("organisation_id"))
    .values({name: bindparam(f"new_{name}") for name in _STORED if name != "kind"})
)
_CLOSE: Final = (
    update(organisations)
    .where(organisations.c.id == bindparam("organisation_id"))
    .values(closed_at=func.now())
    .returning(*ORGANISATION_COLUMNS)
)
_LIST: Final = KeysetQuery(
    select(*ORGANISATION_COLUMNS),
    organisations,
    conditions={
        "kind": organisations.c.kind == bindparam("kind"),
        "prefix": organisations.c.match_key.bool_op("^@")(bindparam("prefix", type_=Text)),
    },
    order=(organisations.c.created_at, organisations.c.id),
    cursor=MOMENT_CURSOR,
    selective={"prefix"},
    with_audit=lambda page: page,
)


def organisation_of(row: Row) -> Organisation:
    """Returns the organisation of a row with ORGANISATION_COLUMNS."""
    values = {column.name: row[column.name] for column in ORGANISATION_COLUMNS}
    return Organisation(**values | {"kind": OrganisationKind(row["kind"])})


class OrganisationRepository:
    """Reads and writes organisations through one connection."""

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

    async def insert(self, new: NewOrganisation) -> Organisation:
        """Stores a new organisation. Raises OrganisationExists; the transaction remains usable."""
        values = {name: getattr(new, name) for name in _STORED if name != "match_key"}
        key = match_key(new.name, new.address)
        row = await self._connection.first(_INSERT, {**values, "id": new_id(), "match_key": key})
        if row is None:
            raise OrganisationExists()
        return organisation_of(row)

    async def read(self, organisation_id: UUID, caller: Caller) -> Organisation:
        """Returns the organisation as `administered` does, and records the access for audit. Raises NotFound."""
        record = audit_params(AuditEvent.ORGANISATION_READ)
        return _require(await self._connection.first(_READ, {**_acting(organisation_id, caller), **record}))

    async def administered(self, organisation_id: UUID, caller: Caller) -> Organisation:
        """Returns the organisation to an admin, or to an administrator of it. Raises NotFound."""
        return _require(await self._connection.first(_ADMINISTERED, _acting(organisation_id, caller)))

    async def get_for_update(self, organisation_id: UUID) -> Organisation:
        """Locks and returns the organisation, which then gets no new members. Raises NotFound."""
        return _require(await self._connection.first(_LOCK, {"organisation_id": organisation_id}))

    async def save(self, organisation: Organisation) -> None:
        """Stores the fields of a locked organisation. Raises OrganisationExists; the transaction remains usable."""
        values = {f"new_{name}": getattr(organisation, name) for name in _STORED if name not in ("kind", "match_key")}
        key = match_key(organisation.name, organisation.address)
        changed = {"organisation_id": organisation.id, **values, "new_match_key": key}
        try:
            async with self._connection.savepoint():
                await self._connection.execute(_SAVE, changed)
        except UniqueViolation as error:
            raise OrganisationExists() from error

    async def close(self, organisation_id: UUID) -> Organisation:
        """Closes a locked organisation and returns it."""
        return organisation_of(await self._connection.one(_CLOSE, {"organisation_id": organisation_id}))

    async def newest(
        self, wanted: OrganisationFilter, after: MomentAndId | None, size: int
    ) -> tuple[Sequence[Organisation], int]:
        """Returns up to `size` + 1 organisations after a row, newest first, and how many match the filter."""
        filters = {"kind": wanted.kind, "prefix": None if wanted.search is None else fold(wanted.search)}
        rows, found = await _LIST.fetch(self._connection, filters, after_moment(after), size, {})
        return [organisation_of(row) for row in rows], found


def _acting(organisation_id: UUID, caller: Caller) -> dict[str, object]:
    return {
        "organisation_id": organisation_id,
        "is_admin": caller.role is Role.ADMIN,
        "caller_id": caller.user_id,
    }


def _require(row: Row | None) -> Organisation:
    if row is None:
        raise NotFound("organisation")
    return organisation_of(row)
