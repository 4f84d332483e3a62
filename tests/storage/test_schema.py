"""Tests the schema as a whole."""

from pathlib import Path

import pytest
from sqlalchemy import text

import server
from server.db.engine import create_pool
from server.db.identifiers import new_id
from server.db.schema_version import SchemaVersion
from server.idempotency.storage.idempotency_keys import FirstSuccess, IdempotencyRepository, KeyedCall
from server.runtime.storage import schema
from server.runtime.work import unit_of_work
from tests.fixtures.proofs import requirement


def test_every_module_with_tables_is_part_of_it() -> None:
    folder = Path(server.__file__).parent
    paths = folder.glob("*/storage/*tables.py")
    found = {f"server.{path.parents[1].name}.storage.{path.stem}" for path in paths}
    assert {module.__name__ for module in schema.TABLES} == found


def test_each_revision_has_the_number_of_its_file() -> None:
    folder = Path(server.__file__).parent.parent / "migrations" / "versions"
    assert {path.name[:4] for path in folder.glob("0*.py")} == set(schema._known()[1:])


KNOWN = ("0000", "0024", "0026")


@requirement("R29")
@pytest.mark.parametrize(
    ("found", "words"),
    [
        (SchemaVersion("0026", None), None),
        (SchemaVersion("0000", None), "medconnect migrate"),
        (SchemaVersion("0024", None), "medconnect migrate"),
        (SchemaVersion("0099", None), None),
        (SchemaVersion("0099", "0024"), None),
        (SchemaVersion("0099", "0026"), None),
        (SchemaVersion("0099", "0035"), "install a newer one"),
    ],
)
def test_a_version_serves_its_own_schema_and_compatible_ones(found: SchemaVersion, words: str | None) -> None:
    fault = found.fault(KNOWN)
    assert (fault is None) if words is None else words in (fault or "")


async def test_an_empty_database_is_refused(database_url: str) -> None:
    pool = create_pool(database_url, pool_size=1, role=None)
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(text("DROP TABLE alembic_version"))
    await pool.close()
    assert await schema.fault(database_url) is not None


async def test_migration_by_non_owner_names_the_setting_to_use(database_url: str) -> None:
    pool = create_pool(database_url, pool_size=1, role=None)
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    await pool.close()
    with pytest.raises(PermissionError, match="MIGRATION_DATABASE_URL"):
        await schema.upgrade(f"{database_url}&role=medconnect_app")


async def test_clearing_empties_every_table_and_keeps_the_schema(database_url: str) -> None:
    pool = create_pool(database_url, pool_size=1)
    work, call = unit_of_work(pool), KeyedCall(new_id(), "X", "0123456789abcdef")
    async with work.begin() as tx:
        await tx[IdempotencyRepository].keep(call, FirstSuccess(bytes(32), b""))
    await schema.clear(database_url)
    async with work.read() as tx:
        assert await tx[IdempotencyRepository].claim(call) is None
    assert await schema.fault(database_url) is None
    await pool.close()


async def test_connections_have_the_time_limits_of_reliability_page(database_url: str) -> None:
    pool = create_pool(database_url, pool_size=1)
    expected = {
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "TimeZone": "UTC",
    }
    async with pool.connection() as connection:
        for name, value in expected.items():
            assert await connection.scalar(text(f"SHOW {name}")) == value
    await pool.close()


async def test_no_revision_is_written_if_tables_match_the_database(database_url: str) -> None:
    versions = Path(schema.__file__).parents[3] / "migrations" / "versions"
    before = sorted(versions.glob("*.py"))
    assert await schema.new_revision(database_url, "nothing") is False
    assert sorted(versions.glob("*.py")) == before
