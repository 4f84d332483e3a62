"""The queue of mails as its workers and its watchers use it. All time is the database's."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import DateTime, column, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.mail.entities import ClaimedMail, MailKind, QueueStatus
from server.mail.tables import emails

LEASE_SECONDS: Final = 30
"""How long a claimed mail is left to its worker; then any worker may claim it again."""

# Lapsed leases come first: their mails have waited longest. SKIP LOCKED lets workers pass each other's rows, and a CTE
# that locks is evaluated once, so that LIMIT means what it says.
_CLAIM = text(
    f"""
    WITH lapsed AS MATERIALIZED (
        SELECT id FROM emails WHERE state = 'processing' AND lease_expires_at <= now()
        ORDER BY lease_expires_at LIMIT :room FOR UPDATE SKIP LOCKED
    ), due AS MATERIALIZED (
        SELECT id FROM emails WHERE state = 'pending' AND due_at <= now()
        ORDER BY due_at LIMIT :room FOR UPDATE SKIP LOCKED
    ), chosen AS MATERIALIZED (
        SELECT id FROM lapsed UNION ALL SELECT id FROM due LIMIT :room
    )
    UPDATE emails
    SET state = 'processing', lease_expires_at = now() + interval '{LEASE_SECONDS} s', fence = fence + 1
    WHERE id IN (SELECT id FROM chosen)
    RETURNING id, kind, recipient_id, recipient, prescription_id, details, attempts, fence, created_at,
              sealed_code, expires_at, now() AS claimed_at
    """  # noqa: S608 - the number is a constant of this module
).columns(
    emails.c.id,
    emails.c.kind,
    emails.c.recipient_id,
    emails.c.recipient,
    emails.c.prescription_id,
    emails.c.details,
    emails.c.attempts,
    emails.c.fence,
    emails.c.created_at,
    emails.c.sealed_code,
    emails.c.expires_at,
    column("claimed_at", DateTime(timezone=True)),
)
_RENEW = text(
    f"""
    UPDATE emails SET lease_expires_at = now() + interval '{LEASE_SECONDS} s'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS held (id, fence)
    WHERE emails.id = held.id AND emails.fence = held.fence AND emails.state = 'processing'
    """  # noqa: S608 - the number is a constant of this module
)
_COMPLETE = text(
    """
    UPDATE emails
    SET state = 'completed', finished_at = now(), lease_expires_at = NULL, sealed_code = NULL,
        attempts = attempts + 1, error = ''
    WHERE id = :id AND fence = :fence AND state = 'processing'
    """
)
_POSTPONE = text(
    """
    UPDATE emails
    SET state = 'pending', due_at = now() + make_interval(secs => :seconds), lease_expires_at = NULL,
        attempts = attempts + :counted, error = :error
    WHERE id = :id AND fence = :fence AND state = 'processing'
    """
)
_GIVE_UP = text(
    """
    UPDATE emails
    SET state = 'failed', finished_at = now(), lease_expires_at = NULL, sealed_code = NULL,
        attempts = attempts + 1, error = :error
    WHERE id = :id AND fence = :fence AND state = 'processing'
    """
)
SHOW_LIFE = text(
    """
    WITH gone AS (DELETE FROM mail_workers WHERE seen_at < now() - interval '1 day' AND id <> :id)
    INSERT INTO mail_workers (id, seen_at) VALUES (:id, now()) ON CONFLICT (id) DO UPDATE SET seen_at = now()
    """
)
FORGET_WORKER = text("DELETE FROM mail_workers WHERE id = :id")
# A mail that waits for its first try is late by its age: while the mail server is away its due time moves on and on.
STATUS = text(
    """
    SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
           count(*) FILTER (WHERE state = 'processing') AS processing,
           count(*) FILTER (WHERE state = 'completed') AS completed,
           count(*) FILTER (WHERE state = 'failed') AS failed,
           EXISTS (SELECT FROM mail_workers WHERE seen_at > now() - interval '30 s')
           AND NOT EXISTS (
               SELECT FROM emails
               WHERE state = 'pending'
                 AND (due_at < now() - interval '60 s' OR attempts = 0 AND created_at < now() - interval '60 s')
           )
           AND NOT EXISTS (
               SELECT FROM emails
               WHERE state = 'failed' AND finished_at > now() - interval '1 hour' AND error <> 'EXPIRED'
           ) AS is_healthy,
           now() AS as_of
    FROM emails
    """
)


class MailRepository:
    """The queue on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(self, room: int) -> tuple[ClaimedMail, ...]:
        """Up to `room` mails that are due or whose lease has lapsed, the caller's alone for LEASE_SECONDS."""
        rows = (await self._connection.execute(_CLAIM, {"room": room})).mappings()
        return tuple(ClaimedMail(**{**row, "kind": MailKind(row["kind"])}) for row in rows)

    async def renew(self, mails: Iterable[ClaimedMail]) -> None:
        """Begin the leases of these claims anew; those that others have taken over stay theirs."""
        held = tuple(mails)
        values = {"ids": [mail.id for mail in held], "fences": [mail.fence for mail in held]}
        await self._connection.execute(_RENEW, values)

    async def complete(self, mail: ClaimedMail) -> bool:
        """The mail was delivered. False, and nothing changed, if the claim is no longer the caller's."""
        result = await self._connection.execute(_COMPLETE, {"id": mail.id, "fence": mail.fence})
        return result.rowcount == 1

    async def postpone(self, mail: ClaimedMail, seconds: float, error: str, *, counted: bool) -> bool:
        """Try again in so many seconds; `counted` tries are limited. False as with `complete`."""
        values = {"seconds": seconds, "error": error, "counted": int(counted)}
        result = await self._connection.execute(_POSTPONE, {"id": mail.id, "fence": mail.fence, **values})
        return result.rowcount == 1

    async def give_up(self, mail: ClaimedMail, error: str) -> bool:
        """The mail will not be delivered, for this reason. False as with `complete`."""
        values = {"id": mail.id, "fence": mail.fence, "error": error}
        return (await self._connection.execute(_GIVE_UP, values)).rowcount == 1

    async def show_life(self, worker_id: UUID) -> None:
        """This worker lives; workers not seen for a day are forgotten."""
        await self._connection.execute(SHOW_LIFE, {"id": worker_id})

    async def forget_worker(self, worker_id: UUID) -> None:
        """This worker has stopped."""
        await self._connection.execute(FORGET_WORKER, {"id": worker_id})

    async def status(self) -> QueueStatus:
        """How many mails are in each state, and whether they flow: one statement, so that the sum is always right."""
        return QueueStatus(**(await self._connection.execute(STATUS)).mappings().one())
