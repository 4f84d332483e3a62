"""The email queue for its workers and watchers. All times are the database's."""

import json
from collections.abc import Iterable, Set
from math import inf
from typing import Final
from uuid import UUID

from sqlalchemy import text

from server.db.connection import Connection, Row
from server.mailer.entities import ClaimedEmail, QueueStatus
from server.mailer.outcome import EXPIRED, DeliveryOutcome, GivenUp, Held, Postponed, Sent
from server.outbox.entities import EmailKind

LEASE_SECONDS: Final = 30
"""The lease of a claimed email; after it ends, any worker may claim the email again."""

# Emails with a code are claimed first, then expired leases: they have waited longest. An email about a prescription
# waits for earlier ones to the same recipient about the same prescription, unless the mail server has deferred those:
# they may wait for a day, and their contents are current when they are sent. SKIP LOCKED lets workers skip each other's
# rows. A locking CTE is evaluated once, so that its LIMIT holds.
_CLAIM = text(
    f"""
    WITH urgent AS MATERIALIZED (
        SELECT id FROM emails
        WHERE finished_at IS NULL AND expires_at IS NOT NULL
          AND (state = 'pending' AND due_at <= now() OR state = 'processing' AND lease_expires_at <= now())
        ORDER BY due_at LIMIT :room FOR UPDATE SKIP LOCKED
    ), expired_lease AS MATERIALIZED (
        SELECT id FROM emails
        WHERE state = 'processing' AND expires_at IS NULL AND lease_expires_at <= now()
        ORDER BY lease_expires_at LIMIT :bulk_room FOR UPDATE SKIP LOCKED
    ), due AS MATERIALIZED (
        SELECT id FROM emails AS email
        WHERE state = 'pending' AND expires_at IS NULL AND due_at <= now()
          AND NOT EXISTS (
              SELECT FROM emails AS earlier
              WHERE earlier.prescription_id = email.prescription_id AND earlier.recipient_id = email.recipient_id
                AND earlier.id < email.id AND earlier.finished_at IS NULL AND earlier.deferrals = 0
          )
        ORDER BY due_at LIMIT :bulk_room FOR UPDATE OF email SKIP LOCKED
    ), chosen AS MATERIALIZED (
        SELECT id FROM urgent
        UNION ALL (SELECT id FROM expired_lease UNION ALL SELECT id FROM due LIMIT :bulk_room)
        LIMIT :room
    )
    UPDATE emails
    SET state = 'processing', lease_expires_at = now() + interval '{LEASE_SECONDS} s', fence = fence + 1
    WHERE id IN (SELECT id FROM chosen)
    RETURNING id, kind, recipient_id, recipient, prescription_id, details, attempts, deferrals, fence, created_at,
              queued_at, sealed_code, expires_at, now() AS claimed_at
    """  # noqa: S608 - the number is a constant of this module
)
_RENEW = text(
    f"""
    UPDATE emails SET lease_expires_at = now() + interval '{LEASE_SECONDS} s'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS held (id, fence)
    WHERE emails.id = held.id AND emails.fence = held.fence AND emails.state = 'processing'
    RETURNING emails.id
    """  # noqa: S608 - the number is a constant of this module
)
_RELEASE = text(
    """
    UPDATE emails SET state = 'pending', lease_expires_at = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS held (id, fence)
    WHERE emails.id = held.id AND emails.fence = held.fence AND emails.state = 'processing'
    """
)
# The code is erased when the email is finished.
_RECORD_OUTCOMES = text(
    """
    UPDATE emails
    SET state = said.state, error = said.error, harmless = said.harmless, attempts = attempts + said.counted,
        deferrals = deferrals + said.deferred, lease_expires_at = NULL,
        due_at = CASE
            WHEN said.state <> 'pending' THEN due_at
            WHEN said.seconds = 'infinity' THEN 'infinity'
            ELSE now() + make_interval(secs => said.seconds)
        END,
        finished_at = CASE said.state WHEN 'pending' THEN NULL ELSE now() END,
        sealed_code = CASE said.state WHEN 'pending' THEN sealed_code END
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:fences AS integer[]), CAST(:states AS text[]), CAST(:errors AS text[]),
        CAST(:harmless AS boolean[]), CAST(:counted AS integer[]), CAST(:deferred AS integer[]),
        CAST(:seconds AS float[])
    ) AS said (id, fence, state, error, harmless, counted, deferred, seconds)
    WHERE emails.id = said.id AND emails.fence = said.fence AND emails.state = 'processing'
    RETURNING emails.id
    """
)
_EXPIRE = text(
    f"""
    UPDATE emails SET state = 'failed', error = '{EXPIRED}', harmless = true, finished_at = now(), sealed_code = NULL
    WHERE finished_at IS NULL AND expires_at <= now() AND state = 'pending'
    """  # noqa: S608 - a constant
)
# An email that waits for the confirmation of its address is due at infinity. Whether an address is confirmed is judged
# here again and again, so that no email is lost if the owner confirms while a worker puts the email aside. Emails to
# closed accounts become due too: the worker gives them up.
_RELEASE_HELD = text(
    """
    UPDATE emails SET due_at = now(), queued_at = now(), error = ''
    FROM users
    WHERE emails.state = 'pending' AND emails.due_at = 'infinity'
      AND users.id = emails.recipient_id
      AND (users.email_confirmed_at IS NOT NULL OR users.status = 'deactivated')
    """
)
RECORD_HEARTBEAT = text(
    """
    WITH gone AS (DELETE FROM mail_workers WHERE seen_at < now() - interval '1 day' AND id <> :id)
    INSERT INTO mail_workers (id, seen_at, circuit_open, stands_in) VALUES (:id, now(), :circuit_open, :stands_in)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), circuit_open = excluded.circuit_open
    """
)
FORGET_WORKER = text("DELETE FROM mail_workers WHERE id = :id")
_WORKED = text("SELECT EXISTS (SELECT FROM mail_workers WHERE NOT stands_in AND seen_at > now() - interval '30 s')")
# Before its first attempt, an email is late by its age: its due time moves on while the mail server is unreachable.
STATUS = text(
    """
    SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
           count(*) FILTER (WHERE state = 'processing') AS processing,
           count(*) FILTER (WHERE state = 'completed') AS completed,
           count(*) FILTER (WHERE state = 'failed') AS failed,
           EXISTS (SELECT FROM mail_workers WHERE seen_at > now() - interval '30 s' AND NOT circuit_open)
           AND NOT EXISTS (
               SELECT FROM emails
               WHERE state = 'pending'
                 AND (due_at < now() - interval '60 s'
                      OR attempts = 0 AND queued_at < now() - interval '60 s' AND due_at < 'infinity')
           )
           AND NOT EXISTS (
               SELECT FROM emails WHERE state = 'failed' AND finished_at > now() - interval '1 hour' AND NOT harmless
           ) AS is_healthy,
           now() AS as_of
    FROM emails
    """
)


class EmailQueue:
    """The email queue on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, room: int, bulk_room: int) -> tuple[ClaimedEmail, ...]:
        """Claims up to `room` emails that are due or whose lease has expired, for LEASE_SECONDS, and returns them.

        bulk_room: the most of them that may be emails without a one-time code.
        """
        rows = await self._connection.rows(_CLAIM, {"room": room, "bulk_room": bulk_room})
        return tuple(_claimed_email(row) for row in rows)

    async def renew(self, mails: Iterable[ClaimedEmail]) -> Set[UUID]:
        """Renews the leases of these claims and returns their ids, without those that another worker has taken over."""
        return set(await self._connection.scalars(_RENEW, _fences(mails)))

    async def release(self, mails: Iterable[ClaimedEmail]) -> None:
        """Ends claims of emails whose delivery has not begun: any worker may claim them at once."""
        await self._connection.execute(_RELEASE, _fences(mails))

    async def record_outcomes(self, outcomes: Iterable[tuple[ClaimedEmail, DeliveryOutcome]]) -> Set[UUID]:
        """Records outcomes and returns the ids of the emails updated.

        An email that another worker has claimed meanwhile is left unchanged.
        """
        rows = [(mail.id, mail.fence, *_encode_outcome(outcome)) for mail, outcome in outcomes]
        names = ("ids", "fences", "states", "errors", "harmless", "counted", "deferred", "seconds")
        values = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        return set(await self._connection.scalars(_RECORD_OUTCOMES, values))

    async def expire(self) -> int:
        """Gives up waiting emails whose code has expired, erases the codes, and returns the number of emails."""
        return await self._connection.execute(_EXPIRE)

    async def release_held(self) -> int:
        """Makes the emails due that waited for their address to be confirmed; returns their number."""
        return await self._connection.execute(_RELEASE_HELD)

    async def record_heartbeat(self, worker_id: UUID, *, circuit_open: bool = False, is_fallback: bool = False) -> None:
        """Records a heartbeat of this worker, and deletes workers not seen for a day."""
        values = {"id": worker_id, "circuit_open": circuit_open, "stands_in": is_fallback}
        await self._connection.execute(RECORD_HEARTBEAT, values)

    async def is_worked(self) -> bool:
        """Returns True if a worker other than a fallback recorded a heartbeat in the last 30 s."""
        return bool(await self._connection.scalar(_WORKED))

    async def forget_worker(self, worker_id: UUID) -> None:
        """Deletes the row of a worker that stops."""
        await self._connection.execute(FORGET_WORKER, {"id": worker_id})

    async def status(self) -> QueueStatus:
        """Returns the counts by state and the health of the queue, in one statement so that the sum is consistent."""
        return QueueStatus(**await self._connection.one(STATUS))


def _claimed_email(row: Row) -> ClaimedEmail:
    return ClaimedEmail(**{**row, "kind": EmailKind(row["kind"]), "details": json.loads(row["details"])})


def _fences(mails: Iterable[ClaimedEmail]) -> dict[str, list[object]]:
    held = tuple(mails)
    return {"ids": [mail.id for mail in held], "fences": [mail.fence for mail in held]}


def _encode_outcome(outcome: DeliveryOutcome) -> tuple[str, str, bool, int, int, float]:
    """Returns state, error, harmless, attempts and deferrals to add, and the seconds to the next attempt."""
    match outcome:
        case Sent():
            return "completed", "", False, 1, 0, 0.0
        case Postponed(seconds, error, counted, deferred):
            return "pending", error, False, int(counted), int(deferred), seconds
        case Held(error):
            return "pending", error, False, 0, 0, inf
        case GivenUp(error, harmless, counted):
            return "failed", error, harmless, int(counted), 0, 0.0
