"""Alembic's environment: `server.runtime.storage.schema` gives the URL, each revision is one transaction."""

import asyncio

from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from migrations.lock_timeout import LOCK_TIMEOUT
from server.db.engine import create_engine
from server.runtime.storage.schema import metadata


def write_nothing_empty(_context: MigrationContext, _revision: object, directives: list[MigrationScript]) -> None:
    """Discards a generated revision without changes."""
    if directives and directives[0].upgrade_ops is not None and directives[0].upgrade_ops.is_empty():
        directives.clear()


def run(connection: Connection) -> None:
    """Runs the revisions on an open connection."""
    connection.exec_driver_sql(LOCK_TIMEOUT)
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        process_revision_directives=write_nothing_empty,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Connects to the database and runs the revisions."""
    engine = create_engine(context.config.attributes["url"])
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


asyncio.run(run_online())
