"""Restores the embedded PostgreSQL from a base backup and the WAL behind it, into a home that has no database."""

import asyncio
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg

from server.db.embedded import cluster
from server.db.embedded.base_backup import BaseBackup, check, found, segments
from server.db.embedded.processes import PORT, Programs, Server

_HBA: Final = "restore_hba.conf"
_TRUST: Final = "local all all trust\n"
"""The socket's folder is closed to all accounts but the database's; the password is replaced at once."""
_LAST_COMMIT: Final = "select pg_last_xact_replay_timestamp()"


class RestoreRefused(Exception):
    """The restore would overwrite data, or could not be complete; the text states why."""


@dataclass(frozen=True, slots=True)
class Restored:
    """States which backup was restored, and up to which transaction."""

    base: BaseBackup
    last_commit: datetime | None
    """The time of the last transaction that was restored from WAL; None: none followed the base backup."""


async def restore(home: Path, folder: Path, until: datetime | None = None) -> Restored:
    """Restores the newest base backup and all WAL behind it, or all transactions committed before `until`.

    The database gets a new password. A restore that is interrupted leaves no database. Raises RestoreRefused,
    BackupFailed, DatabaseInUse, DatabaseStartFailed and OSError.
    """
    folder = folder.resolve()
    base = _choose(folder, until)
    if until is None:
        _refuse_gap(folder, base)
    with cluster.lock_home(home) as own:
        programs = await asyncio.to_thread(Programs.of, own, base.folder)
        await check(base.folder, programs)
        staging = cluster.new_cluster(own, programs.account)
        if staging is None:
            raise RestoreRefused(f"{own / 'cluster'} holds a database: move it away first")
        place = staging.resolve()
        await asyncio.to_thread(_copy, base.folder, place, programs)
        last_commit = await _recover(place, programs, _recovery(folder, place, until))
        cluster.complete(staging)
        return Restored(base, last_commit)


def _choose(folder: Path, until: datetime | None) -> BaseBackup:
    backups = [backup for backup in found(folder) if until is None or backup.ended <= until]
    if not backups:
        raise RestoreRefused(f"{folder} holds no base backup" + (f" from before {until}" if until else ""))
    return backups[-1]


def _refuse_gap(folder: Path, base: BaseBackup) -> None:
    """Raises RestoreRefused if a WAL segment behind the base backup is missing: recovery would end there silently."""
    for timeline in sorted((folder / "wal").glob("*")):
        numbers = [number for number, _ in segments(timeline) if number >= base.first_segment]
        missing = sorted(set(range(min(numbers), max(numbers))) - set(numbers)) if numbers else []
        if missing:
            raise RestoreRefused(
                f"{timeline} lacks {len(missing)} WAL segments, the first is number {missing[0]:X}; "
                "restore what was committed before with --until"
            )


def _copy(base: Path, place: Path, programs: Programs) -> None:
    data = place / "data"
    shutil.copytree(base, data, symlinks=True)
    (data / "recovery.signal").touch()
    (place / _HBA).write_text(_TRUST)
    data.chmod(0o700)
    if programs.account.is_another:
        for parent, _, files in os.walk(place):
            for path in (Path(parent), *(Path(parent, name) for name in files)):
                os.chown(path, programs.account.uid, programs.account.gid, follow_symlinks=False)


def _recovery(folder: Path, place: Path, until: datetime | None) -> Mapping[str, str]:
    wal = shlex.quote(str(folder / "wal")).replace("%", "%%")
    look = f'for file in {wal}/*/"%f" {wal}/*/"%f.partial"; do if test -f "$file"; then exec cp "$file" "%p"; fi; done'
    target = {} if until is None else {"recovery_target_time": until.isoformat(), "recovery_target_action": "promote"}
    return {
        "restore_command": f"{look}; exit 1",
        "recovery_target_timeline": "latest",
        "hot_standby": "off",  # the server is ready when it accepts writes
        "hba_file": str(place / _HBA),
        **target,
    }


async def _recover(place: Path, programs: Programs, settings: Mapping[str, str]) -> datetime | None:
    """Runs the server until it has replayed the WAL and accepts writes; sets the new password."""
    with cluster.socket_directory(place, programs.account) as directory:
        server = Server(place, directory, programs, settings)
        await server.start()
        try:
            connection = await asyncpg.connect(
                host=str(directory), port=PORT, user=cluster.OWNER, database=cluster.DATABASE
            )
            try:
                last_commit: datetime | None = await connection.fetchval(_LAST_COMMIT)
                quoted = await connection.fetchval("select quote_literal($1::text)", (place / "password").read_text())
                await connection.execute(f"alter role {cluster.OWNER} password {quoted}")
            finally:
                await connection.close()
        finally:
            await server.stop()
    (place / _HBA).unlink()
    return last_commit
