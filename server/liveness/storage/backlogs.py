"""Measures the backlogs of background work, and what holds it back, on the rows themselves."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from server.db.connection import Connection
from server.db.embedded.wal_archive import SLOT

MOST_COUNTED: Final = 100_000
"""The most rows that one measurement counts; a longer backlog is reported as this number."""

# The order of audit records is that of their seals (server/audit/storage/seals.py). A transaction of any database of
# the cluster holds the smallest transaction id back, which the feed and the seals wait for.
_BACKLOG: Final = text(
    f"""
    WITH last AS (
        SELECT transaction_id, record_id FROM audit_seals ORDER BY position DESC LIMIT 1
    )
    SELECT
        coalesce((SELECT CAST(extract(epoch FROM now() - occurred_at) AS float)
                  FROM events WHERE position IS NULL ORDER BY id LIMIT 1), 0) AS feed_lag,
        (SELECT count(*) FROM (SELECT FROM events WHERE position IS NULL LIMIT {MOST_COUNTED}) AS waiting)
            AS feed_waiting,
        (SELECT count(*) FROM (
            SELECT FROM audit_records WHERE (transaction_id, id) > (sealed.transaction_id, sealed.record_id)
            ORDER BY transaction_id, id LIMIT {MOST_COUNTED}
        ) AS waiting) AS unsealed,
        unsent.pending, unsent.oldest, unsent.processing, unsent.failed, workers.alive, workers.circuits_open,
        CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS oldest_transaction,
        CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) AS next_transaction,
        (SELECT count(*) FROM read_alerts WHERE raised_at > now() - interval '1 hour') AS read_alerts,
        (SELECT max(age(datfrozenxid)) FROM pg_database) AS xid_age,
        (SELECT coalesce(CAST(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS bigint), 0)
         FROM pg_replication_slots WHERE slot_name = '{SLOT}') AS backup_behind,
        (SELECT NOT active OR wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{SLOT}')
            AS backup_stopped
    FROM (
        SELECT transaction_id, record_id FROM last
        UNION ALL
        SELECT -1, CAST('00000000-0000-0000-0000-000000000000' AS uuid) WHERE NOT EXISTS (SELECT FROM last)
    ) AS sealed, (
        SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
               coalesce(CAST(extract(epoch FROM now() - min(queued_at) FILTER (WHERE state = 'pending')) AS float), 0)
                   AS oldest,
               count(*) FILTER (WHERE state = 'processing') AS processing,
               count(*) FILTER (WHERE state = 'failed') AS failed
        FROM (
            (SELECT state, queued_at FROM emails WHERE state = 'pending' ORDER BY due_at LIMIT {MOST_COUNTED})
            UNION ALL
            (SELECT state, NULL FROM emails WHERE state = 'processing' ORDER BY lease_expires_at LIMIT {MOST_COUNTED})
            UNION ALL
            (SELECT state, NULL FROM emails
             WHERE state = 'failed' AND finished_at IS NOT NULL AND NOT harmless
             ORDER BY finished_at DESC LIMIT {MOST_COUNTED})
        ) AS each
    ) AS unsent, (
        SELECT count(*) AS alive, count(*) FILTER (WHERE circuit_open) AS circuits_open
        FROM mail_workers WHERE seen_at > now() - interval '30 s'
    ) AS workers
    """  # noqa: S608 - a number and a name
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlogs of background work; times are in seconds."""

    feed_lag: float
    """The age of the oldest event without a position in the feed; 0 if there is none."""
    feed_waiting: int
    unsealed: int
    pending: int
    oldest_email: float
    """How long the oldest pending email has been in the queue; 0 if there is none."""
    processing: int
    failed: int
    """Emails that could not be delivered and have not been purged."""
    workers: int
    """Workers that have reported within half a minute."""
    circuits_open: int
    """Workers among them that cannot reach the mail server."""
    oldest_transaction: int
    """The id of the oldest transaction that has not ended, in any database of the cluster."""
    next_transaction: int
    """The id that the next transaction gets; equal to the oldest one while none is open."""
    xid_age: int
    """How many transaction ids the most aged database has used since its last freeze; 2 ** 31 would stop it."""
    read_alerts: int
    """Accounts that were shown the data of half as many patients as an hour allows, within the last hour."""
    backup_behind: int | None
    """How many bytes of write-ahead log are not in the backup folder; None without a backup folder."""
    backup_stopped: bool
    """True while the write-ahead log is not copied to the backup folder."""


class BacklogRepository:
    """Measures backlogs, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def measure(self) -> Backlog:
        """Returns what waits now."""
        row = await self._connection.one(_BACKLOG)
        return Backlog(
            feed_lag=max(0.0, row["feed_lag"]),
            feed_waiting=row["feed_waiting"],
            unsealed=row["unsealed"],
            pending=row["pending"],
            oldest_email=max(0.0, row["oldest"]),
            processing=row["processing"],
            failed=row["failed"],
            workers=row["alive"],
            circuits_open=row["circuits_open"],
            oldest_transaction=row["oldest_transaction"],
            next_transaction=row["next_transaction"],
            xid_age=row["xid_age"],
            read_alerts=row["read_alerts"],
            backup_behind=row["backup_behind"],
            backup_stopped=bool(row["backup_stopped"]),
        )
