"""The schema as a whole: the tables of all slices, and the migrations."""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ProgrammingError

import migrations
from server.audit.storage import tables as audit_tables
from server.auth.storage import tables as auth_tables
from server.clinical.storage import tables as clinical_tables
from server.db import grants
from server.db.engine import connector
from server.db.failures import BUSY
from server.db.metadata import metadata
from server.events.storage import tables as events_tables
from server.idempotency.storage import tables as idempotency_tables
from server.liveness.storage import tables as liveness_tables
from server.outbox.storage import tables as mail_tables
from server.pharmacy.storage import tables as pharmacy_tables
from server.rate_limits.storage import tables as rate_limit_tables

TABLES: Final = (
    *(auth_tables, clinical_tables, pharmacy_tables, events_tables, mail_tables),
    *(idempotency_tables, audit_tables, rate_limit_tables, liveness_tables),
)
"""The modules that fill `metadata`."""

INSUFFICIENT_PRIVILEGE: Final = "42501"
TRIES: Final = 10
PAUSE_SECONDS: Final = 0.2

__all__ = ["TABLES", "clear", "downgrade", "head", "is_current", "metadata", "new_revision", "reset", "upgrade"]


async def upgrade(url: str, revision: str = "head") -> None:
    """Upgrades a database to a revision; at the newest one the roles get the rights of `grants`.

    `url` is that of the schema's owner; raises PermissionError for another account if there is something to change.
    """
    try:
        await asyncio.to_thread(command.upgrade, _config(url), revision)
        if revision == "head":
            await grants.agree(url)
    except (ProgrammingError, asyncpg.InsufficientPrivilegeError) as error:
        if getattr(getattr(error, "orig", error), "sqlstate", "") != INSUFFICIENT_PRIVILEGE:
            raise
        raise PermissionError(
            "this account may not migrate the database: its owner's, MIGRATION_DATABASE_URL, has to, "
            "and grant it medconnect_app"
        ) from error


async def downgrade(url: str, revision: str = "-1") -> None:
    """Downgrades a database to a revision."""
    await asyncio.to_thread(command.downgrade, _config(url), revision)


async def new_revision(url: str, message: str) -> bool:
    """Writes a revision file with what the tables have and the database lacks; returns False if they agree."""
    written = await asyncio.to_thread(command.revision, _config(url), message, autogenerate=True, rev_id=_next_number())
    return bool(written)


async def reset(url: str) -> None:
    """Drops everything and migrates an empty schema."""
    await _change_all(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await upgrade(url)


async def clear(url: str) -> None:
    """Deletes all rows of every table."""
    tables = list(reversed(metadata.sorted_tables))
    guarded = [table.name for table in tables if table.info.get("append_only")]
    await _change_all(
        url,
        *(f"ALTER TABLE {name} DISABLE TRIGGER append_only" for name in guarded),
        *(f"DELETE FROM {table.name}" for table in tables),  # noqa: S608 - names of our tables
        *(f"ALTER TABLE {name} ENABLE TRIGGER append_only" for name in guarded),
    )


async def _change_all(url: str, *statements: str) -> None:
    """Executes statements that lock every table, and retries them while other transactions hold locks."""
    connection = await _connect(url)
    try:
        for last in (*[False] * (TRIES - 1), True):
            try:
                async with connection.transaction():
                    for statement in statements:
                        await connection.execute(statement)
                return
            except BUSY:
                if last:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await connection.close()


def head() -> str:
    """Returns the newest revision."""
    newest = ScriptDirectory.from_config(_config("")).get_current_head()
    if newest is None:
        raise LookupError("there are no migrations")
    return newest


async def is_current(url: str) -> bool:
    """Returns whether the database is at the newest revision."""
    connection = await _connect(url)
    try:
        return bool(await connection.fetchval("SELECT version_num FROM alembic_version") == head())
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Connects with the account's own rights; an older revision may not have the service's role yet."""
    return await connector(url, application="medconnect-schema", role=None)()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def _next_number() -> str:
    return f"{int(head()) + 1:04}"
