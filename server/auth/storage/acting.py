"""The account that acts, locked in the statement that lets it: it can lose neither verification nor membership."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Uuid,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    update,
)

from server.auth.entities import UserStatus
from server.auth.storage.tables import memberships, users
from server.db.connection import Connection
from server.errors import AccountNotVerified, OrganisationRequired, Unauthenticated
from server.identity import Caller, Role

_is_active: Final = users.c.status == literal_column("'active'")
_is_current: Final = memberships.c.ended_at.is_(None)

_UNVERIFY: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(status=UserStatus.UNVERIFIED, status_changed_at=func.now())
)
_END_MEMBERSHIPS: Final = (
    update(memberships)
    .where(memberships.c.user_id == bindparam("of_user"), _is_current)
    .values(ended_at=func.now())
    .returning(memberships.c.organisation_id)
)
_STANDING: Final = select(
    users.c.status,
    exists()
    .where(
        memberships.c.user_id == users.c.id,
        memberships.c.organisation_id == bindparam("organisation_id", type_=Uuid),
        _is_current,
    )
    .label("is_member"),
).where(users.c.id == bindparam("user_id"))


def active_account(user_id: ColumnElement[UUID]) -> ScalarSelect[Any]:
    """Returns a condition that holds for an active account and locks it until the transaction ends.

    A statement with the condition waits for a change of the account, and such a change waits for its transaction. The
    subquery depends on no row of the statement, so PostgreSQL runs it before it locks any: accounts are locked first.
    """
    locked: Select[Any] = select(literal_column("TRUE")).where(users.c.id == user_id, _is_active)
    return locked.with_for_update(read=True).scalar_subquery()


def active_member(user_id: ColumnElement[UUID], organisation_id: ColumnElement[UUID]) -> ScalarSelect[Any]:
    """Returns the condition `active_account` for a current member of an organisation; the membership is locked too."""
    locked: Select[Any] = (
        select(literal_column("TRUE"))
        .select_from(users.join(memberships, memberships.c.user_id == users.c.id))
        .where(users.c.id == user_id, _is_active, memberships.c.organisation_id == organisation_id, _is_current)
    )
    return locked.with_for_update(read=True).scalar_subquery()


class ActingRepository:
    """Explains why an account may not act, and takes the verification back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def check(self, caller: Caller) -> None:
        """Raises the error of a caller who may not act.

        That is Unauthenticated for a deactivated account, AccountNotVerified, and OrganisationRequired for a pharmacist
        who is no longer a member of the pharmacy.
        """
        values = {"user_id": caller.user_id, "organisation_id": caller.organisation_id}
        row = await self._connection.one(_STANDING, values)
        if row["status"] == UserStatus.DEACTIVATED:
            raise Unauthenticated()
        if row["status"] == UserStatus.UNVERIFIED:
            raise AccountNotVerified()
        if caller.role is Role.PHARMACIST and not row["is_member"]:
            raise OrganisationRequired()

    async def unverify(self, user_id: UUID) -> list[UUID]:
        """Lets a locked account wait for an admin again; ends its memberships and returns their organisations."""
        await self._connection.execute(_UNVERIFY, {"user_id": user_id})
        return list(await self._connection.scalars(_END_MEMBERSHIPS, {"of_user": user_id}))
