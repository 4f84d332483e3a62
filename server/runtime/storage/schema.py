"""The schema as a whole: the tables of all slices, and the migrations."""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import DDL, Executable, delete, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

import migrations
from server.audit.storage import tables as audit_tables
from server.auth.storage import tables as auth_tables
from server.clinical.storage import tables as clinical_tables
from server.db import grants
from server.db.engine import create_engine
from server.db.failures import unavailable
from server.db.metadata import metadata
from server.errors import ServerBusy
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

_UNGUARD: Final = DDL("ALTER TABLE %(table)s DISABLE TRIGGER append_only")  # type: ignore[no-untyped-call]
_GUARD: Final = DDL("ALTER TABLE %(table)s ENABLE TRIGGER append_only")  # type: ignore[no-untyped-call]

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
    await _change_all(url, text("DROP SCHEMA public CASCADE"), text("CREATE SCHEMA public"))
    await upgrade(url)


async def clear(url: str) -> None:
    """Deletes all rows of every table."""
    tables = list(reversed(metadata.sorted_tables))
    guarded = [table for table in tables if table.info.get("append_only")]
    await _change_all(
        url,
        *(_UNGUARD.against(table) for table in guarded),
        *(delete(table) for table in tables),
        *(_GUARD.against(table) for table in guarded),
    )


async def _change_all(url: str, *statements: Executable) -> None:
    """Executes statements that lock every table, and retries them while other transactions hold locks."""
    engine = create_engine(url, pool_size=1, owner=True)
    try:
        for last in (*[False] * (TRIES - 1), True):
            try:
                async with engine.begin() as connection:
                    for statement in statements:
                        await connection.execute(statement)
                return
            except DBAPIError as error:
                if last or not isinstance(unavailable(error), ServerBusy):
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await engine.dispose()


def head() -> str:
    """Returns the newest revision."""
    newest = ScriptDirectory.from_config(_config("")).get_current_head()
    if newest is None:
        raise LookupError("there are no migrations")
    return newest


async def is_current(url: str) -> bool:
    """Returns whether the database is at the newest revision."""
    engine = create_engine(url, pool_size=1, owner=True)  # an older revision may not have the role yet
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(text("SELECT version_num FROM alembic_version")) == head())
    except ProgrammingError:
        return False
    finally:
        await engine.dispose()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def _next_number() -> str:
    return f"{int(head()) + 1:04}"
