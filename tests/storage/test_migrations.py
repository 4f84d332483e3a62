"""Tests that the migrations lead to the tables, and back."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from server.auth.rules.organisations import match_key
from server.db.embedded.cluster import EmbeddedPostgres
from server.runtime.storage import schema
from tests.fixtures.database import copied_database
from tests.fixtures.proofs import control, requirement

VERSIONS = sorted((Path(__file__).parents[2] / "migrations" / "versions").glob("0*.py"))

# Everything that the tables define: columns, defaults, constraints with their text, indexes with their predicates.
CATALOGUE = """
    SELECT 'column', table_name, column_name, concat_ws(' ', data_type, udt_name, is_nullable, column_default,
           numeric_precision, numeric_scale)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef
    FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""

[NAMES] = (path.name[:4] for path in VERSIONS if path.name.endswith("_names_at_the_time.py"))
BEFORE_NAMES: Final = f"{int(NAMES) - 1:04}"
[MAILBOXES] = (path.read_text() for path in VERSIONS if path.name.endswith("_confirmed_mailboxes.py"))
[BEFORE_MAILBOXES] = re.findall(r'down_revision = "(\d+)"', MAILBOXES)
FIRST: Final = UUID(int=1)
SECOND: Final = UUID(int=2)
AN_ACCOUNT: Final = """
    INSERT INTO users (id, email, full_name, name_words, role, status)
    VALUES ('{user_id}', '{user_id}@example.org', '{name}', '', 'patient', 'active')
"""
A_RECORD: Final = """
    INSERT INTO patients (id, user_id, reference_number, full_name, sort_name, name_words)
    SELECT id, id, 'PAT-1', full_name, full_name, '' FROM users WHERE id = '{user_id}'
"""
A_SESSION: Final = """
    INSERT INTO sessions (id, user_id, created_at, expires_at)
    VALUES ('{session_id}', '{user_id}', now() - interval '2 h', now() + interval '1 h')
"""
ITS_TOKENS: Final = """
    INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at)
    SELECT sha256(n::text::bytea), '{session_id}', now() - n * interval '20 min', now() FROM generate_series(1, 3) n
"""
A_HELD_EMAIL: Final = """
    INSERT INTO emails (id, kind, recipient_id, recipient, due_at)
    VALUES ('{id}', 'welcome', '{id}', 'a@example.org', 'infinity')
"""
RENAME: Final = "UPDATE users SET full_name = '{name}'"


async def test_addresses_with_a_password_count_as_confirmed(database_url: str) -> None:
    """Nothing is lost downwards either: an account without an address gets one, and held emails become due."""
    await schema.downgrade(database_url, BEFORE_MAILBOXES)
    for user_id in (FIRST, SECOND):
        await fetch(database_url, AN_ACCOUNT.format(user_id=user_id, name="Paula"))
    await fetch(database_url, f"UPDATE users SET password_hash = 'x' WHERE id = '{FIRST}'")  # noqa: S608
    await schema.upgrade(database_url)
    confirmed = "SELECT id FROM users WHERE email_confirmed_at IS NOT NULL"
    assert await fetch(database_url, confirmed) == [(FIRST,)]
    await fetch(database_url, f"UPDATE users SET email = NULL, status = 'deactivated' WHERE id = '{SECOND}'")  # noqa: S608
    await fetch(database_url, A_HELD_EMAIL.format(id=FIRST))
    await schema.downgrade(database_url, BEFORE_MAILBOXES)
    assert await fetch(database_url, "SELECT count(*) FROM users WHERE email IS NULL") == [(0,)]
    assert await fetch(database_url, "SELECT due_at < 'infinity' FROM emails") == [(True,)]


async def catalogue(url: str) -> set[tuple[Any, ...]]:
    return set(await fetch(url, CATALOGUE))


async def fetch(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def run(url: str, *statements: str) -> None:
    """Executes statements in one session, as the owner unless they set another role."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_migrations_create_exactly_the_tables(postgres: EmbeddedPostgres, database_url: str) -> None:
    async with copied_database(postgres) as other:
        await schema.downgrade(other, "base")
        engine = create_async_engine(other.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.begin() as connection:
            await connection.run_sync(schema.metadata.create_all)
        await engine.dispose()
        assert await catalogue(database_url) == await catalogue(other)


async def test_every_migration_goes_up_down_and_up_again(database_url: str) -> None:
    before = await catalogue(database_url)
    for _ in VERSIONS:
        await schema.downgrade(database_url)
    assert await catalogue(database_url) == set()
    await schema.upgrade(database_url)
    assert await catalogue(database_url) == before


async def test_database_one_revision_old_is_refused(database_url: str) -> None:
    assert await schema.fault(database_url) is None
    await schema.downgrade(database_url)
    assert "run `medconnect migrate`" in (await schema.fault(database_url) or "")


@requirement("R42")
async def test_migrations_at_once_wait_for_each_other(postgres: EmbeddedPostgres, database_url: str) -> None:
    await schema.downgrade(database_url, "base")
    await asyncio.gather(*(schema.upgrade(database_url) for _ in range(3)))
    assert await schema.fault(database_url) is None


@requirement("R42")
async def test_migrations_pass_beside_a_long_transaction(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks tables that a dump has read, whose locks it keeps, and an invalid index of an interrupted run."""
    before = await catalogue(database_url)
    await schema.downgrade(database_url, "0016")
    monkeypatch.setattr(schema, "LOCK_PAUSE_SECONDS", 0.1)
    await run(
        database_url,
        "CREATE INDEX ix_audit_records_changes ON audit_records (actor_id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_audit_records_changes'::regclass",
    )
    dump = await asyncpg.connect(database_url)
    transaction = dump.transaction(isolation="repeatable_read")
    await transaction.start()
    await dump.execute("SELECT count(*) FROM audit_records")
    migration = asyncio.create_task(schema.upgrade(database_url))
    await asyncio.sleep(3)
    assert not migration.done()
    await transaction.commit()
    await dump.close()
    await asyncio.wait_for(migration, 30)
    assert await catalogue(database_url) == before


@requirement("R29")
async def test_an_older_version_leaves_a_newer_schema_alone(database_url: str) -> None:
    await run(
        database_url,
        "UPDATE alembic_version SET version_num = '9999'",
        "GRANT DELETE ON visits TO medconnect_app",  # a right of the newer version
    )
    await schema.upgrade(database_url)
    granted = "SELECT has_table_privilege('medconnect_app', 'visits', 'DELETE')"
    assert await fetch(database_url, granted) == [(True,)]
    await run(database_url, "UPDATE alembic_version SET oldest_server = '9998'")
    with pytest.raises(schema.SchemaOutdated, match="install a newer one"):
        await schema.upgrade(database_url)


async def test_rows_older_than_names_revision_get_names_of_its_day(database_url: str) -> None:
    await schema.downgrade(database_url, BEFORE_NAMES)
    await run(database_url, AN_ACCOUNT.format(user_id=FIRST, name="Before"), A_RECORD.format(user_id=FIRST))
    await schema.upgrade(database_url, NAMES)
    await run(
        database_url,
        RENAME.format(name="After"),
        "UPDATE patients SET full_name = 'After'",
        "UPDATE users SET phone = '1'",
        AN_ACCOUNT.format(user_id=SECOND, name="New"),
    )
    users = await fetch(database_url, "SELECT user_id, full_name, isfinite(since) FROM user_names ORDER BY since")
    patients = await fetch(database_url, "SELECT full_name, isfinite(since) FROM patient_names ORDER BY since")
    assert set(users) == {(FIRST, "Before", False), (SECOND, "New", False), (FIRST, "After", True)}
    assert patients == [("Before", False), ("After", True)]


async def test_interrupted_names_revision_repeats_without_losing_names(database_url: str) -> None:
    """Checks that rows renamed before the backfill keep their first name, and a second run changes nothing."""
    await schema.downgrade(database_url, BEFORE_NAMES)
    await run(database_url, AN_ACCOUNT.format(user_id=FIRST, name="Before"))
    await schema.upgrade(database_url, NAMES)
    await run(
        database_url,
        "SET session_replication_role = replica",
        "DELETE FROM user_names",  # as if no row had been backfilled
        "SET session_replication_role = origin",
        RENAME.format(name="Between"),
        f"UPDATE alembic_version SET version_num = '{BEFORE_NAMES}'",  # noqa: S608 - our own file's number
    )
    await schema.upgrade(database_url, NAMES)
    found = await fetch(database_url, "SELECT full_name, isfinite(since) FROM user_names ORDER BY since")
    assert found == [("Before", False), ("Between", True)]


async def test_service_reads_past_names_and_cannot_write_them(database_url: str) -> None:
    await run(database_url, AN_ACCOUNT.format(user_id=FIRST, name="Ann"))
    for statement in (
        "INSERT INTO user_names (user_id, since, full_name) SELECT user_id, now(), 'Forged' FROM user_names",
        "UPDATE user_names SET full_name = 'Forged'",
        "DELETE FROM user_names",
        "DELETE FROM patient_names",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await run(database_url, "SET ROLE medconnect_app", statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added"):
        await run(database_url, "UPDATE user_names SET full_name = 'Forged'")  # not even by their owner
    await run(database_url, "SET ROLE medconnect_app", RENAME.format(name="Anna"), "SELECT FROM user_names")
    assert await fetch(database_url, "SELECT full_name FROM user_names ORDER BY since") == [("Ann",), ("Anna",)]


async def test_open_sessions_get_last_use_and_no_device(database_url: str) -> None:
    await schema.downgrade(database_url, "0023")
    await run(
        database_url,
        AN_ACCOUNT.format(user_id=FIRST, name="Ann"),
        A_SESSION.format(user_id=FIRST, session_id=SECOND),
        ITS_TOKENS.format(session_id=SECOND),
    )
    await schema.upgrade(database_url)
    known = "SELECT device, address, last_used_at = (SELECT max(issued_at) FROM refresh_tokens) FROM sessions"
    assert await fetch(database_url, known) == [("", "", True)]
    await schema.downgrade(database_url, "0023")
    assert await fetch(database_url, "SELECT id FROM sessions") == [(SECOND,)]


async def test_records_of_the_version_before_keep_versions(database_url: str) -> None:
    await schema.downgrade(database_url, "0029")
    await run(database_url, AN_ACCOUNT.format(user_id=FIRST, name="Ann"), A_RECORD.format(user_id=FIRST))
    await schema.upgrade(database_url, "0030")
    await run(database_url, "UPDATE patients SET allergies = '{Nuts}'", "UPDATE patients SET allergies = '{}'")
    kept = "SELECT version, replaced_by, changed_fields, allergies FROM record_versions ORDER BY version"
    assert await fetch(database_url, kept) == [(1, None, ["allergies"], []), (2, None, ["allergies"], ["Nuts"])]
    await schema.downgrade(database_url, "0029")
    assert await fetch(database_url, "SELECT id, version, allergies FROM patients") == [(FIRST, 3, [])]


A_PRESCRIPTION: Final = """
    INSERT INTO prescriptions (id, number, patient_id, doctor_id, diagnosis, expires_at)
    VALUES ('{user_id}', 'RX-1', '{user_id}', '{user_id}', 'Cough', now() + interval '1 day')
"""


async def test_suspension_stops_older_servers_and_ends_in_cancellation(database_url: str) -> None:
    await schema.downgrade(database_url, "0034")
    of_one = (AN_ACCOUNT.format(user_id=FIRST, name="Ann"), A_RECORD, A_PRESCRIPTION)
    await run(database_url, *(statement.format(user_id=FIRST) for statement in of_one))
    await schema.upgrade(database_url, "0035")
    await run(database_url, "UPDATE prescriptions SET suspended_at = now(), status = 'scanned'")
    older_server = (
        "UPDATE prescriptions SET status = 'validated', claimed_by = doctor_id, claimed_from = 'scanned',"
        " claim_expires_at = now()"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="suspended"):
        await run(database_url, older_server)
    await schema.downgrade(database_url, "0034")
    assert await fetch(database_url, "SELECT status FROM prescriptions") == [("cancelled",)]


# Doctors and pharmacists, oldest first, with the pharmacy or hospital that each must join.
WORKPLACES: Final = (
    ("doctor", "active", "NULL", "City Hospital", "", "City Hospital"),
    ("doctor", "active", "NULL", " city  HOSPITAL", "", "City Hospital"),
    ("doctor", "active", "NULL", "", "", None),
    ("doctor", "unverified", "NULL", "City Hospital", "", None),
    ("doctor", "deactivated", "'active'", "City Hospital", "", "City Hospital"),
    ("doctor", "deactivated", "'unverified'", "City Hospital", "", None),
    ("pharmacist", "active", "NULL", "Rose", "Quay 1", "Rose|Quay 1"),
    ("pharmacist", "active", "NULL", "ROSE", "quay 1", "Rose|Quay 1"),
    ("pharmacist", "active", "NULL", "Rose", "Quay 2", "Rose|Quay 2"),
    ("pharmacist", "active", "NULL", "City Hospital", "", "City Hospital"),
    ("patient", "active", "NULL", "City Hospital", "", None),
)
STAFF: Final = """
    INSERT INTO users (id, email, full_name, name_words, role, status, deactivated_from, license_number, created_at,
        hospital_name, pharmacy_name, pharmacy_address)
    VALUES ('{user_id}', '{user_id}@example.org', 'S', '', '{role}', '{status}', {before}, 'L',
        now() + interval '{n} s', '{hospital}', '{pharmacy}', '{address}')
"""
JOINED: Final = """
    SELECT users.id, concat_ws('|', name, nullif(address, '')), kind, member_right, since = users.created_at
    FROM users JOIN memberships ON user_id = users.id JOIN organisations ON organisations.id = organisation_id
    ORDER BY users.created_at
"""


@control("S110")
async def test_workplace_texts_become_organisations_and_stay(database_url: str) -> None:
    await schema.downgrade(database_url, "0024")
    for n, (role, status, before, name, address, _) in enumerate(WORKPLACES, 1):
        names = {"hospital": "" if role == "pharmacist" else name, "pharmacy": name if role == "pharmacist" else ""}
        row = {"role": role, "status": status, "before": before, "n": n, "address": address, **names}
        await run(database_url, STAFF.format(user_id=UUID(int=n), **row))
    await run(database_url, A_SESSION.format(user_id=FIRST, session_id=SECOND))
    texts = "SELECT id, hospital_name, pharmacy_name, pharmacy_address FROM users ORDER BY id"
    kept = await fetch(database_url, texts)

    await schema.upgrade(database_url, "0025")

    kinds = {"doctor": "hospital", "pharmacist": "pharmacy"}
    assert await fetch(database_url, JOINED) == [
        (UUID(int=n), joined, kinds[role], "member", True)
        for n, (role, *_, joined) in enumerate(WORKPLACES, 1)
        if joined
    ]
    assert await fetch(database_url, "SELECT count(*), count(DISTINCT (kind, match_key)) FROM organisations") == [
        (4, 4)
    ]
    acting = "SELECT name FROM sessions JOIN organisations ON organisations.id = organisation_id"
    assert await fetch(database_url, acting) == [("City Hospital",)]
    keys = await fetch(database_url, "SELECT match_key, name, address FROM organisations")
    assert [key for key, *_ in keys] == [match_key(name, address) for _, name, address in keys]
    await schema.downgrade(database_url, "0024")
    assert await fetch(database_url, texts) == kept
    assert await fetch(database_url, "SELECT id FROM sessions") == [(SECOND,)]


@control("S92")
async def test_stored_keys_gain_service_and_lose_plain_hashes(database_url: str) -> None:
    await schema.downgrade(database_url, "0020")
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO idempotency_keys (caller_id, method, key, request_hash, response)"
            " VALUES (gen_random_uuid(), 'CreateUser', '0123456789abcdef', sha256('a password'), 'answer')"
        )
        await schema.upgrade(database_url)
        kept = "SELECT method, request_hash, response FROM idempotency_keys"
        assert [tuple(row) for row in await connection.fetch(kept)] == [
            ("medconnect.auth.v1.AuthService/CreateUser", b"", b"answer")
        ]
        await schema.downgrade(database_url, "0020")
        assert [row["method"] for row in await connection.fetch(kept)] == ["CreateUser"]
    finally:
        await connection.close()
