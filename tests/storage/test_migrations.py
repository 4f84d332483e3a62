"""The schema's history leads to the tables, and back."""

from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from server import schema
from server.db.embedded import EmbeddedPostgres
from tests.fixtures.database import copied_database

# Everything that the tables state: columns, defaults, constraints with their text, indexes with their predicates.
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


async def catalogue(url: str) -> set[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return {tuple(row) for row in await connection.fetch(CATALOGUE)}
    finally:
        await connection.close()


async def test_the_migrations_make_exactly_what_the_tables_say(postgres: EmbeddedPostgres, database_url: str) -> None:
    async with copied_database(postgres) as other:
        await schema.downgrade(other, "base")
        engine = create_async_engine(other.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.begin() as connection:
            await connection.run_sync(schema.metadata.create_all)
        await engine.dispose()
        assert await catalogue(database_url) == await catalogue(other)


async def test_every_migration_goes_up_down_and_up_again(database_url: str) -> None:
    before = await catalogue(database_url)
    for _ in range(int(schema.head())):
        await schema.downgrade(database_url)
    assert await catalogue(database_url) == set()
    await schema.upgrade(database_url)
    assert await catalogue(database_url) == before


async def test_a_database_that_stands_one_revision_behind_is_not_current(database_url: str) -> None:
    assert await schema.is_current(database_url)
    await schema.downgrade(database_url)
    assert not await schema.is_current(database_url)
