"""Statements that fail when those of calls would."""

from typing import Final

from sqlalchemy import text

from server.audit.storage.audit_writer import AUDIT_COLUMNS
from server.db.connection import Connection
from server.db.schema_version import READ_VERSION, SchemaVersion

REPORT: Final = "readiness"
"""The row of `background_tasks` that checks write to."""

_VERSION: Final = text(READ_VERSION)
# One statement, because a transaction of a frozen process would hold the row's lock. The audit's INSERT has no rows: it
# needs the rights and the table, and leaves nothing behind. The commit fails or waits where a call's would.
_WRITE: Final = text(
    f"""
    WITH recorded AS (
        INSERT INTO audit_records ({AUDIT_COLUMNS}) SELECT {AUDIT_COLUMNS} FROM audit_records WHERE false
    )
    INSERT INTO background_tasks (name, succeeded_at) VALUES ('{REPORT}', now())
    ON CONFLICT (name) DO UPDATE SET succeeded_at = now()
    RETURNING CAST(extract(epoch FROM clock_timestamp()) AS float)
    """  # noqa: S608 - constants
)
_LITTLE_MEMORY: Final = text("SET work_mem = '64kB'")
# A megabyte that does not fit this memory is written to a temporary file. Without space for it the disk counts as full:
# the row above may fit an existing page while others do not.
_SPACE: Final = text("SELECT count(*) FROM unnest(array_fill(repeat('x', 10000), ARRAY[100]))")


class ReadinessRepository:
    """Asks the database what calls need, through one connection, which must not be used for calls afterwards."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def schema_version(self) -> SchemaVersion:
        """Returns the version of the schema."""
        row = await self._connection.one(_VERSION)
        return SchemaVersion(row["version_num"], row["oldest_server"])

    async def write(self) -> float:
        """Writes a row, with the rights to write audit records; returns the database's time, in seconds since 1970."""
        return float(await self._connection.scalar(_WRITE))

    async def check_space(self) -> None:
        """Raises the driver's DiskFullError when the database has no megabyte left."""
        await self._connection.execute(_LITTLE_MEMORY)
        await self._connection.execute(_SPACE)
