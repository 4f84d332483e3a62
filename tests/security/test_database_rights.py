"""S94: the rights of the service's accounts in the database, by the catalog and by trying."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from server.auth.storage.admins import AdminRepository
from server.config.settings import ConfigurationWrong, read_settings
from server.db import grants, logins
from server.db.embedded.cluster import EmbeddedPostgres
from server.db.engine import APP_ROLE, SEALER_ROLE
from server.db.logins import DatabaseUrls
from server.runtime import server as app
from server.runtime.storage import schema
from tests.fixtures.cells import cells
from tests.fixtures.database import as_owner
from tests.fixtures.proofs import control

# Read from the views of the SQL standard, not by the functions that grant the rights.
CATALOG = """
    SELECT table_name, privilege_type, '' FROM information_schema.role_table_grants WHERE grantee = $1
    UNION
    SELECT table_name, privilege_type, column_name FROM information_schema.role_column_grants
    WHERE grantee = $1 AND privilege_type IN ('INSERT', 'UPDATE', 'REFERENCES')
    UNION
    SELECT object_name, privilege_type, '' FROM information_schema.role_usage_grants
    WHERE grantee = $1 AND object_type = 'SEQUENCE'
"""
CLINICAL = ("pharmacy_log", "dispensed_lines", "visits", "prescriptions", "prescription_items", "qr_codes", "patients")
FORBIDDEN = {
    APP_ROLE: [
        "SET ROLE medconnect",
        "SET ROLE medconnect_sealer",
        "SET SESSION AUTHORIZATION medconnect",
        "CREATE TABLE mine (id int)",
        "ALTER TABLE audit_records DISABLE TRIGGER ALL",
        "TRUNCATE audit_records",
        "UPDATE alembic_version SET version_num = '0001'",
        "INSERT INTO audit_records (id, transaction_id, action, event, outcome, actor_role)"
        " VALUES (gen_random_uuid(), 1, 'R', 'x', 0, 'system')",
        "INSERT INTO audit_records (id, occurred_at, action, event, outcome, actor_role)"
        " VALUES (gen_random_uuid(), now(), 'R', 'x', 0, 'system')",
        "UPDATE audit_records SET outcome = 0",
        "DELETE FROM audit_records",
        "INSERT INTO audit_seals (position, record_id, transaction_id, hash)"
        " VALUES (1, gen_random_uuid(), 1, decode(repeat('00', 32), 'hex'))",
        "UPDATE audit_seals SET position = 1",
        "DELETE FROM audit_seals",
        "INSERT INTO events (type, subject_id, details, transaction_id) VALUES ('x', gen_random_uuid(), '{}', 1)",
        "UPDATE events SET details = '{}'",
        *(f"DELETE FROM {table}" for table in (*CLINICAL, "users")),  # noqa: S608 - constants
        "UPDATE pharmacy_log SET notes = ''",
        "UPDATE dispensed_lines SET quantity = 1",
        "UPDATE visits SET diagnosis = ''",
        "UPDATE prescriptions SET diagnosis = ''",
        "UPDATE prescriptions SET doctor_id = gen_random_uuid()",
        "UPDATE prescriptions SET expires_at = now()",
        "UPDATE prescription_items SET quantity = 1",
        "UPDATE qr_codes SET expires_at = now()",
        "UPDATE users SET role = 'admin'",
        "UPDATE users SET license_number = 'L-1'",
        "COPY users TO PROGRAM 'cat'",
    ],
    SEALER_ROLE: [
        "SET ROLE medconnect",
        "SET ROLE medconnect_app",
        "SELECT FROM users",
        "SELECT FROM patients",
        "INSERT INTO audit_records (id, action, event, outcome, actor_role)"
        " VALUES (gen_random_uuid(), 'R', 'x', 0, 'system')",
        "INSERT INTO audit_seals (position, record_id, transaction_id, hash, sealed_at)"
        " VALUES (1, gen_random_uuid(), 1, decode(repeat('00', 32), 'hex'), now())",
        "UPDATE audit_seals SET position = 1",
        "DELETE FROM audit_seals",
        "CREATE TABLE mine (id int)",
    ],
}
CASES = [(role, statement) for role, statements in FORBIDDEN.items() for statement in statements]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def rights(url: str, role: str) -> set[tuple[Any, ...]]:
    async with connected(url) as connection:
        found = {tuple(row) for row in await connection.fetch(CATALOG, role)}
    whole = {(table, verb) for table, verb, column in found if not column}
    return {right for right in found if not right[2] or right[:2] not in whole}


@control("S94")
@pytest.mark.parametrize("role", grants.GRANTS)
async def test_the_catalog_holds_exactly_the_rights_of_the_table(database_url: str, role: str) -> None:
    assert await rights(database_url, role) == set(grants.wanted(role))


@control("S94")
def test_every_table_has_its_line() -> None:
    """A new table states in server/db/grants.py which rights its statements need, or that it is closed."""
    assert grants.GRANTS[APP_ROLE].keys() == {*schema.metadata.tables, "alembic_version"}
    for tables in grants.GRANTS.values():
        for name, line in tables.items():
            known = set() if name == "alembic_version" else {c.name for c in schema.metadata.tables[name].columns}
            assert line.insert | line.update <= known, name


@control("S94")
@cells(("role", "statement"), CASES)
async def test_the_accounts_may_not(shared_database_url: str, role: str, statement: str) -> None:
    urls = DatabaseUrls.embedded(shared_database_url)
    async with connected(urls.server if role == APP_ROLE else urls.sealer) as connection:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(statement)
    assert refused.value.sqlstate == "42501", refused.value


@control("S94")
async def test_rights_that_drifted_are_put_right_by_migrating(database_url: str) -> None:
    drift = (
        "GRANT UPDATE, DELETE ON visits TO medconnect_app",
        "GRANT UPDATE (transaction_id) ON audit_seals TO medconnect_sealer",
        "REVOKE INSERT (id) ON users FROM medconnect_app",
        "REVOKE USAGE ON SEQUENCE event_positions FROM medconnect_app",
        "CREATE TABLE forgotten (id int)",
        "GRANT SELECT ON forgotten TO medconnect_app",
    )
    await as_owner(database_url, *drift)
    assert await rights(database_url, APP_ROLE) != set(grants.wanted(APP_ROLE))
    await schema.upgrade(database_url)
    for role in grants.GRANTS:
        assert await rights(database_url, role) == set(grants.wanted(role))


@control("S94")
async def test_account_without_migration_right_starts_current(database_url: str) -> None:
    server = DatabaseUrls.embedded(database_url).server
    await schema.upgrade(server)
    await as_owner(database_url, "GRANT DELETE ON visits TO medconnect_app")
    with pytest.raises(PermissionError, match="MIGRATION_DATABASE_URL"):
        await schema.upgrade(server)


ACCOUNTS = {
    "one of the server alone": ("LOGIN", "GRANT medconnect_app TO {name}", []),
    "a superuser": ("LOGIN SUPERUSER", "GRANT medconnect_app TO {name}", ["superuser"]),
    "a maker of roles": ("LOGIN CREATEROLE", "GRANT medconnect_app TO {name}", ["make roles"]),
    "a member of the owner": ("LOGIN", "GRANT owner_{name} TO {name}; GRANT medconnect_app TO {name}", ["owns"]),
    "the owner of a table": (
        "LOGIN",
        "GRANT medconnect_app TO {name}; CREATE TABLE own (); ALTER TABLE own OWNER TO {name}",
        ["owns"],
    ),
    "one that may read the server's files": (
        "LOGIN",
        "GRANT medconnect_app TO {name}; GRANT pg_read_server_files TO {name}",
        ["role of the database server"],
    ),
    "one that may make tables": (
        "LOGIN",
        "GRANT medconnect_app TO {name}; GRANT CREATE ON SCHEMA public TO {name}",
        ["make tables"],
    ),
    "one with rights of its own": (
        "LOGIN",
        "GRANT medconnect_app TO {name}; GRANT DELETE ON audit_records TO {name}",
        ["delete records"],
    ),
    "a member of both": ("LOGIN", "GRANT medconnect_app, medconnect_sealer TO {name}", ["member of medconnect_sealer"]),
    "a member of none": ("LOGIN", "SELECT 1", ["not a member of medconnect_app"]),
    "one that may not log in": ("NOLOGIN", "GRANT medconnect_app TO {name}", ["may not log in"]),
}


@pytest.fixture
def role_names(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A name that no other test uses: roles belong to the whole server."""
    return iter([f"r{uuid4().hex[:10]}"])


@control("S94")
@pytest.mark.parametrize("account", ACCOUNTS)
async def test_account_with_excess_rights_is_named_with_them(
    database_url: str, role_names: Iterator[str], account: str
) -> None:
    attributes, statements, told = ACCOUNTS[account]
    name = next(role_names)
    database = database_url.partition("?")[0].rpartition("/")[2]
    await as_owner(
        database_url,
        f"CREATE ROLE owner_{name}",
        f"CREATE ROLE {name} {attributes} PASSWORD 'jH5kPq2w'",
        *([f"ALTER DATABASE {database} OWNER TO owner_{name}"] if "member of the owner" in account else []),
        statements.format(name=name),
    )
    place = database_url.partition("@")[2]
    try:
        found = await logins.faults(f"postgresql://{name}:jH5kPq2w@{place}", APP_ROLE)
    finally:
        await as_owner(
            database_url,
            f"ALTER DATABASE {database} OWNER TO medconnect",
            f"DROP OWNED BY {name}, owner_{name}",
            f"DROP ROLE {name}, owner_{name}",
        )
    assert len(found) == len(told)
    assert all(words in text for words, text in zip(told, found, strict=True)), found


@control("S94")
async def test_production_starts_with_only_the_two_accounts(database_url: str) -> None:
    urls = DatabaseUrls.embedded(database_url)
    settings = read_settings(
        _env_file=None, medconnect_env="production", jwt_secret="j" * 32, qr_encryption_key="q" * 32
    )
    async with app.core(settings, urls.server, urls.sealer) as core, core.work.read() as tx:
        assert await tx[AdminRepository].any_exists() is False
    wrong = {
        (urls.owner, urls.owner): {"DATABASE_URL", "SEALER_DATABASE_URL"},
        (urls.owner, urls.sealer): {"DATABASE_URL"},
        (urls.server, urls.owner): {"SEALER_DATABASE_URL"},
        (urls.server, urls.server): {"SEALER_DATABASE_URL"},
        (urls.sealer, urls.server): {"DATABASE_URL", "SEALER_DATABASE_URL"},
    }
    for (server, sealer), named in wrong.items():
        with pytest.raises(ConfigurationWrong) as refused:
            async with app.core(settings, server, sealer):
                pass
        assert refused.value.faults.keys() == named
