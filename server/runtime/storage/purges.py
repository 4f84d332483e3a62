"""Deletes expired rows, by the database's clock."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from server.db.connection import Connection
from server.rate_limits.budgets import SHARED_LIMITS

AT_ONCE: Final = 1000
"""The number of rows that one statement deletes, so that no row stays locked for long."""

# Locked rows are left for the next round. Sessions and codes are kept for a day after their end: access tokens,
# revocations and the daily number of codes are judged by them. A counter or bucket lies further in the future than an
# hour, or than its bucket takes to fill, only if the clock was ahead and has been corrected; without the purge it would
# refuse calls until then.
PURGES: Final[Mapping[str, str]] = {
    "refresh tokens": """
        DELETE FROM refresh_tokens WHERE token_hash IN (
            SELECT token_hash FROM refresh_tokens WHERE expires_at < now() - interval '1 day'
            ORDER BY expires_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "one-time codes": """
        DELETE FROM one_time_codes WHERE id IN (
            SELECT id FROM one_time_codes WHERE created_at < now() - interval '1 day'
            ORDER BY created_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "sign-in challenges": """
        DELETE FROM sign_in_challenges WHERE token_hash IN (
            SELECT token_hash FROM sign_in_challenges WHERE expires_at < now()
            ORDER BY expires_at LIMIT {at_once}
        )
        """,
    "unconfirmed second factors": """
        DELETE FROM second_factors WHERE id IN (
            SELECT id FROM second_factors
            WHERE confirmed_at IS NULL AND created_at < now() - interval '1 day'
            ORDER BY created_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "former email addresses": """
        DELETE FROM former_emails WHERE token_hash IN (
            SELECT token_hash FROM former_emails WHERE expires_at < now() - interval '1 day'
            ORDER BY expires_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "sessions": """
        DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions WHERE expires_at < now() - interval '1 day'
              AND NOT EXISTS (SELECT FROM refresh_tokens WHERE session_id = sessions.id)
              AND NOT EXISTS (SELECT FROM one_time_codes WHERE session_id = sessions.id)
            ORDER BY expires_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "sign-in origins": """
        DELETE FROM sign_in_origins WHERE (user_id, device, network) IN (
            SELECT user_id, device, network FROM sign_in_origins AS o
            WHERE used_at < now() - interval '365 days'
              AND EXISTS (SELECT FROM sign_in_origins n WHERE n.user_id = o.user_id AND n.used_at > o.used_at)
            ORDER BY used_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "sign-in counters": """
        DELETE FROM sign_in_counters WHERE (account, address) IN (
            SELECT account, address FROM sign_in_counters
            WHERE touched_at < now() - interval '30 days' OR touched_at > now() + interval '1 hour'
            ORDER BY touched_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "rate limits": """
        DELETE FROM rate_limit_buckets WHERE (limit_name, key) IN (
            SELECT b.limit_name, b.key
            FROM rate_limit_buckets b
            JOIN unnest(CAST(:names AS text[]), CAST(:periods AS float[])) AS a (limit_name, period) USING (limit_name)
            WHERE b.full_at > now() AND b.full_at > now() + make_interval(secs => 2 * a.period)
            ORDER BY b.full_at LIMIT {at_once} FOR UPDATE OF b SKIP LOCKED
        )
        """,
    "idempotency keys": """
        DELETE FROM idempotency_keys WHERE (caller_id, method, key) IN (
            SELECT caller_id, method, key FROM idempotency_keys WHERE created_at < now() - interval '24 hours'
            ORDER BY created_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "counted patients": """
        DELETE FROM patient_reads WHERE (account_id, patient_id) IN (
            SELECT account_id, patient_id FROM patient_reads WHERE counted_at < now() - interval '1 hour'
            ORDER BY counted_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "alerts about reads": """
        DELETE FROM read_alerts WHERE id IN (
            SELECT id FROM read_alerts WHERE raised_at < now() - interval '30 days'
            ORDER BY raised_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "unconfirmed accounts": """
        SELECT delete_unconfirmed_accounts(interval '{unconfirmed} s', {at_once})
        """,
    "finished emails": """
        DELETE FROM emails WHERE id IN (
            SELECT id FROM emails
            WHERE state IN ('completed', 'failed') AND finished_at < now() - interval '{keep_mails} s'
            ORDER BY finished_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
    "changes of emails": """
        DELETE FROM events WHERE id IN (
            SELECT id FROM events
            WHERE left(type, 6) = 'email.' AND position IS NOT NULL AND occurred_at < now() - interval '{keep_mails} s'
            ORDER BY occurred_at LIMIT {at_once} FOR UPDATE SKIP LOCKED
        )
        """,
}
"""The purges in their order: tokens and codes go before the sessions that they belong to."""


_SHARED: Final = {
    "names": [limit.name for limit in SHARED_LIMITS],
    "periods": [limit.period for limit in SHARED_LIMITS],
}


class PurgeRepository:
    """Runs the purges on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def purge(self, name: str, keep_mails: timedelta, unconfirmed: timedelta) -> int:
        """Deletes up to AT_ONCE rows and returns how many.

        keep_mails: how long finished emails are kept. unconfirmed: how long accounts may wait for their confirmation.

        Numbers are written into the SQL: PostgreSQL plans a statement before it knows parameters, and would expect a
        third of a table to be old enough.
        """
        kept = {"keep_mails": int(keep_mails.total_seconds()), "unconfirmed": int(unconfirmed.total_seconds())}
        sql = PURGES[name].format(at_once=AT_ONCE, **kept)
        return await self._connection.execute(text(sql), _SHARED)
