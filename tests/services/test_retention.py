"""Tests which rows retention deletes, and which it keeps."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Interval, LargeBinary, Uuid, bindparam, text

from server.db.engine import APP_ROLE
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.runtime.retention import Retention
from server.runtime.storage import purges
from server.runtime.storage.purges import PURGES
from tests.fixtures.emails import add_account, add_mails

KEEP = timedelta(days=30), timedelta(days=7)
"""How long finished emails are kept, and how long accounts may wait for their confirmation."""


# One row of each kind that ended at that time; for rate limits, one that ends as long after 22 hours ago.
THINGS = (
    """
    INSERT INTO sign_in_challenges (token_hash, user_id, expires_at)
    VALUES (:hash, :user, now() - CAST(:old AS interval) + interval '1 day')
    """,
    """
    INSERT INTO second_factors (id, user_id, kind, sealed_secret, created_at)
    VALUES (:id, :user, 'totp', '', now() - CAST(:old AS interval))
    """,
    """
    INSERT INTO users (id, new_email, full_name, name_words, role, status, created_at)
    VALUES (:id, 'never@example.org', 'Nora Never', '', 'patient', 'active', now() - CAST(:old AS interval))
    """,
    "INSERT INTO patients (id, user_id, reference_number, full_name, sort_name, name_words)"
    " VALUES (:id, :id, CAST(:id AS text), 'Nora Never', 'nora never', '')",
    "INSERT INTO sessions (id, user_id, expires_at) VALUES (:id, :user, now() - CAST(:old AS interval))",
    """
    INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES (:hash, :id, now() - CAST(:old AS interval))
    """,
    """
    INSERT INTO one_time_codes (id, user_id, purpose, session_id, code_hash, created_at, expires_at)
    VALUES (:id, :user, 'history_access', :id, 'x', now() - CAST(:old AS interval), now())
    """,
    "INSERT INTO former_emails VALUES (:hash, :user, 'a@example.org', now(), now() - CAST(:old AS interval))",
    """
    INSERT INTO sign_in_origins (user_id, device, network, used_at)
    SELECT :user, n::text, '', now() - n * (CAST(:old AS interval) + interval '340 days') FROM unnest(ARRAY[0, 1]) AS n
    """,
    "INSERT INTO sign_in_counters VALUES (:hash, '', 1, now(), NULL, now() - CAST(:old AS interval))",
    """
    INSERT INTO rate_limit_buckets
    VALUES ('login', gen_random_uuid(), now() + CAST(:old AS interval) - interval '24 hours')
    """,
    "INSERT INTO patient_reads VALUES (:user, :id, now() - CAST(:old AS interval))",
    "INSERT INTO read_alerts VALUES (:id, :user, 150, now() - CAST(:old AS interval))",
    "INSERT INTO idempotency_keys VALUES (:user, 'X', 'k', 'h', 'r', now() - CAST(:old AS interval))",
    "UPDATE emails SET state = 'completed', finished_at = now() - CAST(:old AS interval) WHERE state = 'pending'",
    """
    INSERT INTO events (type, subject_id, details, occurred_at, position)
    SELECT type, :user, '{}', now() - CAST(:old AS interval), nextval('event_positions')
    FROM unnest(ARRAY['email.completed', 'test']) AS type
    """,
)
TYPES: dict[str, Any] = {"id": Uuid, "user": Uuid, "hash": LargeBinary, "old": Interval}


async def run(tx: Transaction, statement: str, **values: Any) -> None:
    known = text(statement)
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    typed = [bindparam(name, type_=TYPES[name]) for name in used]
    await tx.connection.execute(known.bindparams(*typed), used)


AFTER_AN_HOUR = {"counted patients"}
AFTER_A_DAY = {
    *AFTER_AN_HOUR,
    *("refresh tokens", "one-time codes", "sessions", "rate limits", "idempotency keys"),
    *("sign-in challenges", "unconfirmed second factors", "former email addresses"),
}


async def lay_out(tx: Transaction, old: timedelta) -> None:
    user, session = await add_account(tx.connection), new_id()
    await add_mails(tx, 1)
    for statement in THINGS:
        await run(tx, statement, id=session, user=user, hash=session.bytes, old=old)


@pytest.mark.parametrize(
    ("old", "deleted"),
    [
        (timedelta(minutes=59), set()),
        (timedelta(hours=23), AFTER_AN_HOUR),
        (timedelta(hours=25), AFTER_A_DAY),
        (timedelta(days=31), set(PURGES)),
    ],
)
async def test_only_rows_that_ended_long_enough_ago_are_deleted(
    work: UnitOfWork, old: timedelta, deleted: set[str]
) -> None:
    async with work.begin() as tx:
        await lay_out(tx, old)
    counts = await Retention(work, *KEEP).purge()
    assert counts == {chore: int(chore in deleted) for chore in PURGES}
    async with work.read() as tx:
        assert await tx.connection.scalar(text("SELECT count(*) FROM events WHERE type = 'test'")) == 1
        confirmed = text("SELECT count(*) FROM users WHERE email IS NOT NULL")
        assert await tx.connection.scalar(confirmed) == 2


async def test_rows_from_a_clock_that_was_ahead_reject_no_caller(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await run(
            tx, "INSERT INTO sign_in_counters VALUES (:hash, '', 9, now(), NULL, now() + interval '1 year')", hash=b"a"
        )
        await run(tx, "INSERT INTO sign_in_counters VALUES (:hash, '', 9, now(), NULL, now())", hash=b"b")
        await run(tx, "INSERT INTO rate_limit_buckets VALUES ('login', 'a', now() + interval '1 year')")
        await run(tx, "INSERT INTO rate_limit_buckets VALUES ('login', 'b', now() + interval '31 minutes')")
        await run(tx, "INSERT INTO rate_limit_buckets VALUES ('registration', 'c', now() + interval '1 hour')")
        await run(tx, "INSERT INTO rate_limit_buckets VALUES ('confirmation', 'd', now() + interval '23 hours')")
    counts = await Retention(work, *KEEP).purge()
    assert (counts["sign-in counters"], counts["rate limits"]) == (1, 2)


async def test_waiting_email_and_session_with_codes_are_kept(
    work: UnitOfWork,
) -> None:
    async with work.begin() as tx:
        await lay_out(tx, timedelta(days=40))
        await run(tx, "UPDATE emails SET state = 'pending', finished_at = NULL, created_at = now() - interval '1 year'")
        await run(tx, "UPDATE one_time_codes SET created_at = now()")
    counts = await Retention(work, *KEEP).purge()
    assert (counts["finished emails"], counts["sessions"], counts["refresh tokens"]) == (0, 0, 1)


async def test_however_much_there_is_all_of_it_goes(work: UnitOfWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purges, "AT_ONCE", 1)
    async with work.begin() as tx:
        for _ in range(3):
            await lay_out(tx, timedelta(days=2))
    counts = await Retention(work, *KEEP).purge()
    assert counts["idempotency keys"] == 3


async def test_unconfirmed_account_is_kept_with_anything_clinical(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await lay_out(tx, timedelta(days=40))
        await tx.connection.execute(text("UPDATE patients SET identified_at = now()"))
    assert (await Retention(work, *KEEP).purge())["unconfirmed accounts"] == 0
    async with work.begin() as tx:
        await tx.connection.execute(text("UPDATE patients SET identified_at = NULL"))
    assert (await Retention(work, *KEEP).purge())["unconfirmed accounts"] == 1
    async with work.read() as tx:
        for table in ("patients", "patient_names", "user_names"):
            left = text(f"SELECT count(*) FROM {table} WHERE full_name = 'Nora Never'")  # noqa: S608
            assert await tx.connection.scalar(left) == 0


@pytest.mark.parametrize("table", ["user_names", "patient_names"])
async def test_service_deletes_no_names_with_the_setting(database_url: str, table: str) -> None:
    """Tests that the setting of the function that deletes accounts gives no right to others, and the owner needs it."""
    connection = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added"):
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608
        await connection.execute(f"GRANT DELETE ON {table} TO {APP_ROLE}; SET ROLE {APP_ROLE}")
        await connection.execute("SET medconnect.deletes_unconfirmed = 'on'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added"):
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608
    finally:
        await connection.close()
