"""Base backups of the embedded PostgreSQL, which pg_basebackup makes while it serves.

FOLDER/base-20261130T020000Z/    a copy of the data folder, complete in itself; its name is the time at which it ended
FOLDER/wal/                      see `wal_archive`
"""

import fcntl
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from server.db.embedded.binaries import Account, Binaries
from server.db.embedded.processes import Programs, environment_of, open_private
from server.db.embedded.wal_archive import make_folders
from server.supervision.environment import BARE

SEGMENT_BYTES: Final = 16 * 2**20
"""The size of a WAL segment, PostgreSQL's default."""

_NAME: Final = "base-%Y%m%dT%H%M%SZ"
_START: Final = re.compile(r"^START WAL LOCATION: ([0-9A-F]+)/([0-9A-F]+) ", re.MULTILINE)
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}(?=\.partial$|$)")


class BackupFailed(Exception):
    """A program of PostgreSQL could not make or check a backup; the text ends with what it said."""


@dataclass(frozen=True, slots=True, order=True)
class BaseBackup:
    """A complete base backup."""

    ended: datetime
    folder: Path

    @property
    def first_segment(self) -> int:
        """The number of the first WAL segment that a restore of it needs."""
        found = _START.search((self.folder / "backup_label").read_text())
        if found is None:
            raise BackupFailed(f"{self.folder} has no start location in its label")
        return (int(found[1], 16) << 32 | int(found[2], 16)) // SEGMENT_BYTES


def found(folder: Path) -> Sequence[BaseBackup]:
    """Returns the complete base backups in a folder of backups, the oldest first."""
    backups = []
    for path in folder.glob("base-*Z"):
        try:
            ended = datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)
        except ValueError:
            continue
        backups.append(BaseBackup(ended, path))
    return sorted(backups)


def age_of_newest(folder: Path, now: Callable[[], datetime]) -> float:
    """Returns how many seconds ago the newest base backup ended; infinity if there is none."""
    backups = found(folder)
    return (now() - backups[-1].ended).total_seconds() if backups else math.inf


def segments(timeline: Path) -> Sequence[tuple[int, Path]]:
    """Returns the WAL segments of a timeline's folder with their numbers, in order."""
    kept = {path: match[0] for path in timeline.iterdir() if (match := _SEGMENT.match(path.name))}
    per_file = 2**32 // SEGMENT_BYTES
    return sorted((int(name[8:16], 16) * per_file + int(name[16:], 16), path) for path, name in kept.items())


async def take(url: str, home: Path, folder: Path, keep: int) -> BaseBackup:
    """Makes a base backup of the running database, checks it, and removes all but the newest `keep` and their WAL.

    url: the database, as its superuser; home: the folder in which it runs. Raises BackupFailed and OSError.
    """
    programs = _programs(home)
    make_folders(programs, folder)
    with _lock(folder):
        unfinished = folder / "unfinished"
        _remove(unfinished)
        arguments = ["--pgdata", str(unfinished), "--wal-method", "stream", "--checkpoint", "fast", "--no-password"]
        arguments += ["--manifest-checksums", "SHA256"]
        await _run(programs, "pg_basebackup", *arguments, environment=environment_of(url))
        await check(unfinished, programs)
        ended = await _next_second(url)
        backup = BaseBackup(ended, unfinished.rename(folder / ended.strftime(_NAME)))
        _prune(folder, keep)
    return backup


async def _next_second(url: str) -> datetime:
    """Returns the full second that follows, by the database's clock, which also dates its transactions."""
    connection = await asyncpg.connect(url)
    try:
        moment: datetime = await connection.fetchval("select date_trunc('second', clock_timestamp()) + interval '1 s'")
        return moment.astimezone(UTC)
    finally:
        await connection.close()


async def check(backup: Path, programs: Programs) -> None:
    """Compares all files of a base backup with the checksums in its manifest. Raises BackupFailed."""
    await _run(programs, "pg_verifybackup", "--quiet", "--no-parse-wal", str(backup))


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with open_private(folder / "lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(f"another backup to {folder} is running") from None
        yield


def _prune(folder: Path, keep: int) -> None:
    backups = found(folder)
    for old in backups[:-keep]:
        _remove(old.folder)
    oldest = min(backup.first_segment for backup in backups[-keep:])
    for timeline in (folder / "wal").glob("*"):
        for number, path in segments(timeline):
            if number < oldest:
                path.unlink()


def _remove(backup: Path) -> None:
    """Removes a folder; one that is half removed is no backup any more."""
    if backup.exists():
        doomed = backup.with_name("removed")
        shutil.rmtree(doomed, ignore_errors=True)
        backup.rename(doomed)
        shutil.rmtree(doomed)


def _programs(home: Path) -> Programs:
    """Returns the programs of the version that runs, with a log of their own."""
    cluster = home / "cluster"
    account = Account.owner_of(cluster)
    binaries = Binaries.find(account, int((cluster / "data" / "PG_VERSION").read_text()))
    log = home / "backup.log"
    open_private(log, "w").close()
    return Programs(binaries, account, log)


async def _run(programs: Programs, name: str, *arguments: str, environment: Mapping[str, str] = BARE) -> None:
    process = await programs.start(name, *arguments, environment=environment)
    try:
        status = await process.wait()
    except BaseException:
        process.terminate()
        raise
    if status != 0:
        said = programs.log.read_text(errors="replace").splitlines()[-5:]
        raise BackupFailed("\n".join([f"{name} ended with status {status}:", *said]))
