"""The schema as a whole: the tables of all slices, and the migrations."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

import migrations
from server.audit.storage import tables as audit_tables
from server.auth.storage import tables as auth_tables
from server.clinical.storage import email_detachment_tables
from server.clinical.storage import tables as clinical_tables
from server.db import grants
from server.db.engine import connector
from server.db.failures import BUSY, describe, sqlstate_of
from server.db.metadata import metadata
from server.db.schema_version import READ_VERSION, SchemaVersion
from server.events.storage import tables as events_tables
from server.idempotency.storage import tables as idempotency_tables
from server.liveness.storage import tables as liveness_tables
from server.outbox.storage import tables as mail_tables
from server.pharmacy.storage import tables as pharmacy_tables
from server.rate_limits.storage import tables as rate_limit_tables

TABLES: Final = (
    *(auth_tables, clinical_tables, email_detachment_tables, pharmacy_tables, events_tables, mail_tables),
    *(idempotency_tables, audit_tables, rate_limit_tables, liveness_tables),
)
"""The modules that fill `metadata`."""

NOTHING: Final = "0000"
"""The revision of a database before the first migration."""
MIGRATION_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('medconnect migrations'))"
LOCKED_SECONDS: Final = 900.0
"""How long a migration is tried while a table is locked: longer than a dump of a large hospital takes."""
LOCK_PAUSE_SECONDS: Final = 2.0
"""The pause after each try, in which the statements that queued behind it run."""
LOCK_NOT_AVAILABLE: Final = "55P03"
INSUFFICIENT_PRIVILEGE: Final = "42501"
TRIES: Final = 10
PAUSE_SECONDS: Final = 0.2

_log = structlog.get_logger()

__all__ = [
    "TABLES",
    "MigrationFailed",
    "SchemaOutdated",
    "clear",
    "downgrade",
    "fault",
    "fault_of",
    "head",
    "metadata",
    "new_revision",
    "reset",
    "upgrade",
    "version",
]


class SchemaOutdated(Exception):
    """This version cannot work on the database's schema; the text says why and what to do."""


class MigrationFailed(Exception):
    """A migration ended with an error of the database; the text says which."""


async def upgrade(url: str, revision: str = "head") -> None:
    """Upgrades a database to a revision; at the newest one the roles get the rights of `grants`.

    One migration runs at a time; a second one waits for it. A schema that a newer version has made is left alone.
    `url` is that of the schema's owner; raises PermissionError for another account if there is something to change,
    SchemaOutdated for a newer schema that does not serve this version, and MigrationFailed.
    """
    async with _alone(url):
        found = await version(url)
        if found is not None and found.is_newer(_known()):
            if (wrong := fault_of(found)) is not None:
                raise SchemaOutdated(wrong)
            _log.warning("schema_is_newer", revision=found.revision, known=head())
            return  # its rights are the newer version's, too
        await _migrate(url, revision)


async def _migrate(url: str, revision: str) -> None:
    try:
        await _when_unlocked(partial(command.upgrade, _config(url), revision))
        if revision == "head":
            await grants.agree(url)
    except (DBAPIError, asyncpg.InsufficientPrivilegeError) as error:
        cause = getattr(error, "orig", None) or error
        if sqlstate_of(cause) != INSUFFICIENT_PRIVILEGE:
            raise MigrationFailed(f"the migration failed: {describe(cause.__cause__ or cause)}") from error
        raise PermissionError(
            "this account may not migrate the database: its owner's, MIGRATION_DATABASE_URL, has to, "
            "and grant it medconnect_app"
        ) from error


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """Holds the lock of migrations for the block; waits while another process holds it.

    It is asked for repeatedly: a statement that waited for it would hold a snapshot, for which the other's
    CREATE INDEX CONCURRENTLY would wait in turn.
    """
    connection = await _connect(url)
    try:
        while not await connection.fetchval(MIGRATION_LOCK):  # noqa: ASYNC110 - another process
            await asyncio.sleep(PAUSE_SECONDS)
        yield
    finally:
        await connection.close()


async def _when_unlocked(migrate: Callable[[], None]) -> None:
    """Migrates; repeats a revision that did not get its lock in time, because a report or a dump reads its table."""
    deadline = asyncio.get_running_loop().time() + LOCKED_SECONDS
    while True:
        try:
            await asyncio.to_thread(migrate)
            return
        except DBAPIError as error:
            late = asyncio.get_running_loop().time() > deadline
            if sqlstate_of(error.orig or error) != LOCK_NOT_AVAILABLE or late:
                raise
        _log.warning("migration_waits", reason="other transactions use a table that it changes")
        await asyncio.sleep(LOCK_PAUSE_SECONDS)


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
    return _known()[-1]


@cache
def _known() -> tuple[str, ...]:
    """Returns all revisions of this version, from the empty database on."""
    scripts = ScriptDirectory.from_config(_config("")).walk_revisions()
    return (NOTHING, *reversed([script.revision for script in scripts]))


async def version(url: str) -> SchemaVersion | None:
    """Returns the version of a database's schema; None before the first migration."""
    connection = await _connect(url)
    try:
        row = await connection.fetchrow(READ_VERSION)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return None if row is None else SchemaVersion(row["version_num"], row["oldest_server"])


async def fault(url: str) -> str | None:
    """Returns why this version cannot work on a database's schema; None if it can."""
    found = await version(url)
    return fault_of(found or SchemaVersion(NOTHING, None))


def fault_of(found: SchemaVersion) -> str | None:
    """Returns why this version cannot work on a schema; None if it can."""
    return found.fault(_known())


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
    return f"{int(max(_known())) + 1:04}"
