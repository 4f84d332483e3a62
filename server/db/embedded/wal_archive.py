"""The write-ahead log (WAL) of the embedded PostgreSQL, kept outside its data folder by pg_receivewal.

    FOLDER/wal/00000001/    the segments of timeline 1; the newest has the suffix `.partial`
    FOLDER/wal/00000002/    those since the first restore, and so on

A replication slot keeps what pg_receivewal has not received yet, up to MOST_KEPT: a full backup disk must not fill that
of the data. Behind a gap only a new base backup can be restored; the log says so.
"""

import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import structlog

from server import background
from server.db.embedded.processes import Programs, environment_of
from server.supervision import restarts

SLOT: Final = "medconnect_backup"
MOST_KEPT: Final = "4GB"
"""How much WAL the slot keeps for a receiver that is away."""
BEHIND_BYTES: Final = 64 * 2**20
"""How far the receiver may be behind before the log says so: four segments."""

_LOOK_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_TIMELINE: Final = "select timeline_id from pg_control_checkpoint()"
_MAKE_SLOT: Final = """
select pg_create_physical_replication_slot($1, true)
where not exists (select from pg_replication_slots where slot_name = $1)
"""
_DROP_SLOT: Final = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1"
_LOST_SLOT: Final = "select exists (select from pg_replication_slots where slot_name = $1 and wal_status = 'lost')"
_STATE: Final = """
select active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint behind
from pg_replication_slots where slot_name = $1
"""

_log = structlog.get_logger()


@asynccontextmanager
async def kept(url: str, programs: Programs, folder: Path) -> AsyncIterator[None]:
    """Copies the WAL to `folder` as it is written, until the block is left. Raises OSError.

    url: the database, as its superuser.
    """
    timeline = await _prepare_slot(url)
    own = folder / "wal" / f"{timeline:08X}"
    make_folders(programs, folder, folder / "wal", own)
    async with (
        restarts.running(WalReceiver(url, programs, own)),
        background.running(
            background.repeat(_Watch(url).look, every=_LOOK_SECONDS, failed="backup_not_watched", delay=_LOOK_SECONDS)
        ),
    ):
        yield


async def forget(url: str) -> None:
    """Drops the slot of a former configuration, which would keep WAL without a reader."""
    connection = await asyncpg.connect(url)
    try:
        await connection.fetch(_DROP_SLOT, SLOT)
    finally:
        await connection.close()


def make_folders(programs: Programs, *folders: Path) -> None:
    """Creates folders that only the database's account may read. Raises OSError, also if that cannot enter them."""
    account = programs.account
    for folder in folders:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            if account.is_another:
                os.chown(folder, account.uid, account.gid)
        if not account.reaches(folder):
            raise PermissionError(f"the database's account (uid {account.uid}) cannot enter {folder}")


class WalReceiver:
    """pg_receivewal, across restarts. It connects again by itself when the server has restarted."""

    name: Final = "pg_receivewal"

    def __init__(self, url: str, programs: Programs, folder: Path) -> None:
        self._url, self._programs, self._folder = url, programs, folder
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id since the latest start."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts the program. Raises OSError."""
        arguments = ["--directory", str(self._folder), "--slot", SLOT, "--no-password", "--status-interval", "2"]
        self._process = await self._programs.start(self.name, *arguments, environment=environment_of(self._url))

    async def wait(self) -> int:
        """Waits until the process ends and returns its exit code."""
        if self._process is None:
            raise RuntimeError("not started")
        return await self._process.wait()

    async def stop(self) -> None:
        """Ends the program; the slot keeps what is written afterwards."""
        await restarts.stop_process(self._process, signal.SIGINT, _STOP_SECONDS)


async def _prepare_slot(url: str) -> int:
    """Makes the slot, again if its WAL is lost, and returns the timeline."""
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval(_LOST_SLOT, SLOT):
            _log.error("backup_has_gap", remedy="take a base backup: medconnect backup")
            await connection.fetch(_DROP_SLOT, SLOT)
        await connection.fetch(_MAKE_SLOT, SLOT)
        return int(await connection.fetchval(_TIMELINE))
    finally:
        await connection.close()


class _Watch:
    """Tells the log when the copy falls behind, and when it has caught up."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._behind = False

    async def look(self) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            state = await connection.fetchrow(_STATE, SLOT)
        finally:
            await connection.close()
        lost = state is None or state["wal_status"] == "lost"
        lag = None if state is None or lost else state["behind"]
        behind = state is None or lag is None or not state["active"] or lag > BEHIND_BYTES
        if behind:
            _log.error("backup_behind", lost=lost, bytes=lag)
        elif self._behind:
            _log.info("backup_caught_up")
        self._behind = behind
