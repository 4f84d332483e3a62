"""Repository of memberships: the accounts that act for an organisation."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, exists, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from server import email_address
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page
from server.auth.organisation_entities import Member, MemberRight, Membership, Organisation
from server.auth.storage.organisations import ORGANISATION_COLUMNS, organisation_of
from server.auth.storage.tables import memberships, organisations, sessions, users
from server.db.connection import Connection, Row
from server.db.identifiers import new_id
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, after_moment
from server.errors import NotFound
from server.identity import Caller, Role
from server.pagination import MomentAndId

_organisation_id: Final = bindparam("of_organisation", type_=Uuid)
_user_id: Final = bindparam("of_user", type_=Uuid)
_current: Final = memberships.c.ended_at.is_(None)
_of_organisation: Final = (memberships.c.organisation_id == _organisation_id) & _current

# The account is locked, so that no session opens for it before the membership is seen.
_FIND_ACCOUNT: Final = (
    select(users.c.id)
    .where(
        users.c.email == bindparam("address"),
        users.c.role == bindparam("role"),
        users.c.status == literal_column("'active'"),
        or_(
            bindparam("is_admin", type_=Boolean),
            ~exists().where(
                memberships.c.user_id == users.c.id, memberships.c.organisation_id != _organisation_id, _current
            ),
        ),
    )
    .with_for_update(key_share=True)
)
_ADD: Final = (
    insert(memberships)
    .from_select(
        ["id", "user_id", "organisation_id", "member_right"],
        select(bindparam("new_id", type_=Uuid), _user_id, organisations.c.id, bindparam("new_right", type_=Text))
        .where(organisations.c.id == _organisation_id, organisations.c.closed_at.is_(None))
        .with_for_update(read=True, of=organisations),
    )
    .on_conflict_do_nothing(index_elements=["user_id", "organisation_id"], index_where=memberships.c.ended_at.is_(None))
)
_members = select(
    memberships.c.id,
    memberships.c.user_id,
    memberships.c.member_right,
    memberships.c.since,
    users.c.full_name,
    users.c.email,
).join_from(memberships, users)
_MEMBER: Final = _members.where(_of_organisation, memberships.c.user_id == _user_id)
_CHANGE_RIGHT: Final = (
    update(memberships)
    .where(_of_organisation, memberships.c.user_id == _user_id)
    .values(member_right=bindparam("new_right"))
)
_END: Final = (
    update(memberships)
    .where(_of_organisation, memberships.c.user_id == _user_id)
    .values(ended_at=func.now())
    .returning(memberships.c.user_id)
)
_END_ALL: Final = (
    update(memberships).where(_of_organisation).values(ended_at=func.now()).returning(memberships.c.user_id)
)
_LOCK_ACCOUNTS: Final = (
    select(users.c.id)
    .where(users.c.id.in_(select(memberships.c.user_id).where(_of_organisation)))
    .order_by(users.c.id)
    .with_for_update(key_share=True)
)
_OWN: Final = (
    select(*ORGANISATION_COLUMNS, memberships.c.member_right, memberships.c.since)
    .join_from(memberships, organisations)
    .where(memberships.c.user_id == _user_id, _current)
    .order_by(memberships.c.since, memberships.c.id)
)
_chosen_id: Final = bindparam("chosen_id", type_=Uuid)
_CHOOSE: Final = (
    update(sessions)
    .where(
        sessions.c.id == bindparam("session_id"),
        exists().where(
            memberships.c.user_id == sessions.c.user_id, memberships.c.organisation_id == _chosen_id, _current
        ),
    )
    .values(organisation_id=_chosen_id)
)
_LIST: Final = KeysetQuery(
    _members,
    memberships,
    conditions={"of_organisation": _of_organisation},
    order=(memberships.c.since, memberships.c.id),
    cursor=MOMENT_CURSOR,
    with_audit=lambda page: audited_page(page, "organisation"),
)


class MembershipRepository:
    """Reads and writes memberships through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def account_for_update(self, email: str, organisation: Organisation, caller: Caller) -> UUID:
        """Locks the active account with a confirmed address that the caller may add, and returns its id.

        Its role must fit the organisation; only admins may add a member of another one. Raises NotFound.
        """
        found: UUID | None = await self._connection.scalar(
            _FIND_ACCOUNT,
            {
                "address": email_address.normal(email),
                "role": organisation.role_of_members,
                "of_organisation": organisation.id,
                "is_admin": caller.role is Role.ADMIN,
            },
        )
        if found is None:
            raise NotFound("account")
        return found

    async def add(self, user_id: UUID, organisation_id: UUID, right: MemberRight) -> None:
        """Makes a locked account a member of an open organisation; a current member does not change."""
        await self._connection.execute(
            _ADD, {**_named(user_id, organisation_id), "new_id": new_id(), "new_right": right}
        )

    async def get(self, user_id: UUID, organisation_id: UUID) -> Member:
        """Returns a current member. Raises NotFound."""
        row = await self._connection.first(_MEMBER, _named(user_id, organisation_id))
        if row is None:
            raise NotFound("member")
        return _member_of(row)

    async def change_right(self, user_id: UUID, organisation_id: UUID, right: MemberRight) -> None:
        """Changes the right of a current member."""
        await self._connection.execute(_CHANGE_RIGHT, {**_named(user_id, organisation_id), "new_right": right})

    async def end(self, user_id: UUID, organisation_id: UUID) -> None:
        """Ends the membership of a locked account. Raises NotFound."""
        if await self._connection.scalar(_END, _named(user_id, organisation_id)) is None:
            raise NotFound("member")

    async def end_all(self, organisation_id: UUID) -> Sequence[UUID]:
        """Ends the memberships of a locked organisation, and returns the accounts, which it locks."""
        named = {"of_organisation": organisation_id}
        await self._connection.execute(_LOCK_ACCOUNTS, named)
        return list(await self._connection.scalars(_END_ALL, named))

    async def own(self, user_id: UUID) -> Sequence[Membership]:
        """Returns the current memberships of an account, oldest first."""
        rows = await self._connection.rows(_OWN, {"of_user": user_id})
        return [Membership(organisation_of(row), MemberRight(row["member_right"]), row["since"]) for row in rows]

    async def choose(self, caller: Caller, organisation_id: UUID) -> None:
        """Lets the caller's session act for an organisation of theirs. Raises NotFound."""
        chosen = {"session_id": caller.session_id, "chosen_id": organisation_id}
        if not await self._connection.execute(_CHOOSE, chosen):
            raise NotFound("organisation")

    async def newest(
        self, organisation: Organisation, after: MomentAndId | None, size: int
    ) -> tuple[Sequence[Member], int]:
        """Returns up to `size` + 1 members after a row, newest first, and how many there are; the access is audited."""
        record = audit_params(AuditEvent.MEMBERS_LISTED, organisation.subject)
        filters = {"of_organisation": organisation.id}
        rows, found = await _LIST.fetch(self._connection, filters, after_moment(after), size, record)
        return [_member_of(row) for row in rows], found


def _named(user_id: UUID, organisation_id: UUID) -> dict[str, object]:
    return {"of_user": user_id, "of_organisation": organisation_id}


def _member_of(row: Row) -> Member:
    return Member(
        id=row["id"],
        user_id=row["user_id"],
        full_name=row["full_name"],
        email=row["email"] or "",
        right=MemberRight(row["member_right"]),
        since=row["since"],
    )
