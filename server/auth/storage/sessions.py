"""Repository of sessions and their refresh tokens. It stores hashes of tokens, never tokens."""

from collections.abc import Collection, Set
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Interval, LargeBinary, Text, Uuid, any_, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from server.auth.entities import PresentedToken, SessionRights, SignInOrigin, UserStatus
from server.auth.rules.lifetimes import Lifetime
from server.auth.storage.accounts import USER_COLUMNS, user_of
from server.auth.storage.tables import memberships, refresh_tokens, sessions, users
from server.db.connection import Connection
from server.errors import NotFound

HISTORY_OPEN: Final = timedelta(minutes=10)
"""How long a medical history stays open to the session that entered the code."""
REPEAT_WINDOW: Final = timedelta(seconds=10)
"""How long after its use a refresh token may be sent again, because the response was lost."""

# A session acts for the organisation of the account's session before it, or else for the one joined first.
_OPEN: Final = text(
    """
    WITH opened AS (
        INSERT INTO sessions (id, user_id, expires_at, device, address, organisation_id)
        VALUES (:session_id, :user_id, now() + :absolute, :device, :address, (
            SELECT m.organisation_id FROM memberships m
            WHERE m.user_id = :user_id AND m.ended_at IS NULL
            ORDER BY m.organisation_id IS NOT DISTINCT FROM (
                SELECT s.organisation_id FROM sessions s
                WHERE s.user_id = :user_id ORDER BY s.created_at DESC, s.id DESC LIMIT 1
            ) DESC, m.since, m.id
            LIMIT 1
        ))
        RETURNING id, expires_at, organisation_id
    ), issued AS (
        INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
        SELECT :token_hash, id, now() + :idle FROM opened
    )
    SELECT expires_at, organisation_id FROM opened
    """
).bindparams(
    bindparam("session_id", type_=Uuid),
    bindparam("user_id", type_=Uuid),
    bindparam("token_hash", type_=LargeBinary),
    bindparam("absolute", type_=Interval),
    bindparam("idle", type_=Interval),
    bindparam("device", type_=Text),
    bindparam("address", type_=Text),
)

# Only sessions that can still be refreshed count; a session that expired unused does not.
_END_OLDEST: Final = text(
    """
    UPDATE sessions SET revoked_at = now()
    WHERE id IN (
        SELECT s.id FROM sessions s
        WHERE s.user_id = :user_id AND s.revoked_at IS NULL AND s.expires_at > now()
            AND EXISTS (SELECT FROM refresh_tokens t
                        WHERE t.session_id = s.id AND t.used_at IS NULL AND t.expires_at > now())
        ORDER BY s.created_at DESC, s.id DESC OFFSET :kept
    )
    RETURNING id
    """
).bindparams(bindparam("user_id", type_=Uuid))

# Locks the session, so that concurrent calls with tokens of one family are serialized. The state is read by a second
# statement: after waiting for a lock, a statement rereads the locked row, but not the rows joined to it.
_LOCK_FAMILY: Final = (
    select(sessions.c.id)
    .join_from(refresh_tokens, sessions)
    .where(refresh_tokens.c.token_hash == bindparam("token_hash"))
    .with_for_update(of=sessions)
)

# A session that was opened before its account became a member of any organisation acts for the one joined first.
_acts_for = (
    select(memberships.c.organisation_id)
    .where(memberships.c.user_id == sessions.c.user_id, memberships.c.ended_at.is_(None))
    .order_by(
        memberships.c.organisation_id.is_not_distinct_from(sessions.c.organisation_id).desc(),
        memberships.c.since,
        memberships.c.id,
    )
    .limit(1)
    .scalar_subquery()
    .label("acts_for")
)
_next_token = refresh_tokens.alias("successor")
_next_end = (
    select(_next_token.c.expires_at)
    .where(_next_token.c.token_hash == bindparam("successor_hash"), _next_token.c.used_at.is_(None))
    .scalar_subquery()
)
_PRESENTED: Final = (
    select(
        *USER_COLUMNS,
        sessions.c.id.label("session_id"),
        _acts_for,
        func.now().label("read_at"),
        sessions.c.expires_at.label("session_ends"),
        func.coalesce(_next_end, refresh_tokens.c.expires_at).label("idle_end"),
        (sessions.c.revoked_at.is_(None) & (sessions.c.expires_at > func.now())).label("session_open"),
        refresh_tokens.c.used_at.is_not(None).label("used"),
        (refresh_tokens.c.expires_at <= func.now()).label("idle_too_long"),
        func.coalesce((refresh_tokens.c.used_at > func.now() - REPEAT_WINDOW) & _next_end.is_not(None), False).label(
            "repeatable"
        ),
    )
    .join_from(refresh_tokens, sessions)
    .join(users)
    .where(refresh_tokens.c.token_hash == bindparam("token_hash"))
)

# Without a person the next token expires when the used one would have, so that programs keep no session alive.
_ROTATE: Final = text(
    """
    WITH used AS (
        UPDATE refresh_tokens SET used_at = now() WHERE token_hash = :token_hash RETURNING session_id, expires_at
    ), attended AS (
        UPDATE sessions SET last_used_at = now(), address = :address
        FROM used WHERE sessions.id = used.session_id AND :attended
    )
    INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
    SELECT :successor_hash, session_id, CASE WHEN :attended THEN now() + :idle ELSE expires_at END FROM used
    RETURNING expires_at
    """
).bindparams(
    bindparam("token_hash", type_=LargeBinary),
    bindparam("successor_hash", type_=LargeBinary),
    bindparam("idle", type_=Interval),
    bindparam("address", type_=Text),
    bindparam("attended", type_=Boolean),
)

_END_OWN: Final = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.user_id == bindparam("of_user"))
    .values(revoked_at=func.coalesce(sessions.c.revoked_at, func.now()))
)
_REVOKE: Final = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.revoked_at.is_(None))
    .values(revoked_at=func.now())
)
_END_OTHERS: Final = (
    update(sessions)
    .where(
        sessions.c.user_id == any_(bindparam("user_ids", type_=ARRAY(Uuid))),
        sessions.c.revoked_at.is_(None),
        sessions.c.expires_at > func.now(),
        sessions.c.id.is_distinct_from(bindparam("kept", type_=Uuid)),
    )
    .values(revoked_at=func.now())
    .returning(sessions.c.id)
)
_REVOKED: Final = select(sessions.c.id).where(sessions.c.revoked_at > func.now() - bindparam("within", type_=Interval))
_RIGHTS: Final = (
    select(users.c.status, users.c.email.is_not(None).label("email_confirmed"), _acts_for)
    .join_from(sessions, users)
    .where(
        sessions.c.id == bindparam("session_id"),
        users.c.id == bindparam("user_id"),
        sessions.c.revoked_at.is_(None),
    )
)
_is_open = sessions.c.revoked_at.is_(None) & (sessions.c.expires_at > func.now())
_OPEN_HISTORY: Final = (
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), _is_open)
    .values(history_until=func.least(func.now() + HISTORY_OPEN, sessions.c.expires_at))
    .returning(sessions.c.history_until)
)
_HISTORY_IS_OPEN: Final = select(
    select(sessions.c.id)
    .where(sessions.c.id == bindparam("session_id"), _is_open, sessions.c.history_until > func.now())
    .exists()
)


class SessionRepository:
    """Reads and writes sessions and refresh tokens through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(
        self, session_id: UUID, user_id: UUID, token_hash: bytes, lifetime: Lifetime, origin: SignInOrigin
    ) -> tuple[datetime, UUID | None]:
        """Stores a new session with its first refresh token.

        Returns its absolute end, and the organisation for which it acts if the account is a member of any.
        """
        values = {
            "session_id": session_id,
            "user_id": user_id,
            "token_hash": token_hash,
            "absolute": lifetime.absolute,
            "idle": lifetime.idle,
            "device": origin.device,
            "address": origin.address,
        }
        row = await self._connection.one(_OPEN, values)
        return row["expires_at"], row["organisation_id"]

    async def end_oldest(self, user_id: UUID, kept: int) -> Set[UUID]:
        """Revokes and returns the account's open sessions except the newest `kept`. Lock the account first."""
        rows = await self._connection.rows(_END_OLDEST, {"user_id": user_id, "kept": kept})
        return {row["id"] for row in rows}

    async def presented_for_update(self, token_hash: bytes, successor_hash: bytes) -> PresentedToken | None:
        """Locks a refresh token's family and returns the token's state; None if the token is unknown."""
        await self._connection.execute(_LOCK_FAMILY, {"token_hash": token_hash})
        values = {"token_hash": token_hash, "successor_hash": successor_hash}
        row = await self._connection.first(_PRESENTED, values)
        if row is None:
            return None
        return PresentedToken(
            session_id=row["session_id"],
            user=user_of(row),
            organisation_id=row["acts_for"],
            read_at=row["read_at"],
            session_ends=row["session_ends"],
            idle_end=row["idle_end"],
            session_open=row["session_open"],
            used=row["used"],
            idle_too_long=row["idle_too_long"],
            repeatable=row["repeatable"],
        )

    async def rotate(
        self, token_hash: bytes, successor_hash: bytes, idle: timedelta, address: str, *, attended: bool
    ) -> datetime:
        """Marks a refresh token as used, stores its successor, and returns when that expires if it is not used.

        attended: a person has acted, so the successor lives for `idle`, and the session was used now, from `address`;
        otherwise it expires when the used token would have.
        """
        values = {
            "token_hash": token_hash,
            "successor_hash": successor_hash,
            "idle": idle,
            "address": address,
            "attended": attended,
        }
        ends: datetime = await self._connection.scalar(_ROTATE, values)
        return ends

    async def revoke(self, session_id: UUID) -> None:
        """Revokes a session; one that was revoked before does not change."""
        await self._connection.execute(_REVOKE, {"session_id": session_id})

    async def end_own(self, user_id: UUID, session_id: UUID) -> None:
        """Revokes a session of an account; one that was revoked before does not change. Raises NotFound."""
        if not await self._connection.execute(_END_OWN, {"of_user": user_id, "session_id": session_id}):
            raise NotFound("session")

    async def end_all(self, user_id: UUID, *, but: UUID | None = None) -> Set[UUID]:
        """Revokes and returns the account's sessions, all or all except `but`. Lock the account first."""
        return set(await self._connection.scalars(_END_OTHERS, {"user_ids": [user_id], "kept": but}))

    async def end_all_of(self, user_ids: Collection[UUID]) -> Set[UUID]:
        """Revokes and returns all sessions of these accounts. Lock the accounts first."""
        return set(await self._connection.scalars(_END_OTHERS, {"user_ids": list(user_ids), "kept": None}))

    async def revoked(self, within: timedelta) -> Set[UUID]:
        """Returns the sessions that were revoked in that time."""
        return set(await self._connection.scalars(_REVOKED, {"within": within}))

    async def open_history(self, session_id: UUID) -> datetime | None:
        """Opens its patient's history to an open session. Returns the end; None if the session has ended."""
        until: datetime | None = await self._connection.scalar(_OPEN_HISTORY, {"session_id": session_id})
        return until

    async def history_is_open(self, session_id: UUID) -> bool:
        """Returns whether a session may read its patient's history now."""
        return bool(await self._connection.scalar(_HISTORY_IS_OPEN, {"session_id": session_id}))

    async def rights(self, session_id: UUID, user_id: UUID) -> SessionRights | None:
        """Returns the rights of a session's account; None if the session was revoked or belongs to another account."""
        row = await self._connection.first(_RIGHTS, {"session_id": session_id, "user_id": user_id})
        if row is None:
            return None
        return SessionRights(UserStatus(row["status"]), row["email_confirmed"], row["acts_for"])
