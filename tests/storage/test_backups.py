"""Tests backups of the embedded PostgreSQL: what was committed before its data was lost is restored."""

import asyncio
import math
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from server.db.embedded import base_backup, restore
from server.db.embedded import cluster as embedded
from server.db.embedded.base_backup import BackupFailed
from server.db.embedded.cluster import EmbeddedPostgres
from server.db.embedded.restore import RestoreRefused
from tests.fixtures.proofs import requirement
from tests.storage.test_embedded import reachable_folder

LOST_SECONDS = 1.0
"""How much of the newest work may be lost with the disk of the data; the promise is 60 s."""


@pytest.fixture
def place() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder


def running(place: Path) -> AbstractAsyncContextManager[EmbeddedPostgres]:
    return embedded.running(place / "home", settings={"fsync": "off"}, backups=place / "backups")


async def take(server: EmbeddedPostgres, place: Path, keep: int = 7) -> base_backup.BaseBackup:
    return await base_backup.take(server.url(), place / "home", place / "backups", keep)


async def write(server: EmbeddedPostgres, *numbers: int) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        await connection.execute(
            "create table if not exists act (number int, at timestamptz default clock_timestamp())"
        )
        for number in numbers:
            await connection.execute("insert into act values ($1)", number)
    finally:
        await connection.close()


async def read(server: EmbeddedPostgres) -> list[int]:
    connection = await asyncpg.connect(server.url())
    try:
        return [row["number"] for row in await connection.fetch("select number from act order by number")]
    finally:
        await connection.close()


async def received(server: EmbeddedPostgres, place: Path) -> None:
    """Waits until the WAL of all that was committed is in the folder of backups, as after a quiet second."""
    connection = await asyncpg.connect(server.url())
    try:
        written = await connection.fetchval("select pg_current_wal_lsn()")
        behind = "select coalesce(bool_or(write_lsn >= $1), false) from pg_stat_replication"
        async with asyncio.timeout(10):
            while not await connection.fetchval(behind, written):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


def lose(place: Path) -> None:
    """Loses the home, as a broken disk does."""
    cluster = (place / "home" / "cluster").resolve()
    shutil.rmtree(cluster)
    shutil.rmtree(place / "home")


async def write_until_stopped(server: EmbeddedPostgres, acknowledged: list[float]) -> None:
    connection = await asyncpg.connect(server.url())
    loop = asyncio.get_running_loop()
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError):
        while True:
            await connection.execute("insert into act values ($1)", 100 + len(acknowledged))
            acknowledged.append(loop.time())


@requirement("R44")
async def test_what_was_acknowledged_outlives_the_data_folder(place: Path) -> None:
    acknowledged: list[float] = []
    async with running(place) as server:
        await write(server, 1, 2)
        await take(server, place)
        password = server.password
        writing = asyncio.create_task(write_until_stopped(server, acknowledged))
        await asyncio.sleep(2)
        assert server.pid is not None
        shutil.rmtree((place / "home" / "cluster" / "data").resolve())
        os.kill(server.pid, signal.SIGKILL)
        lost_at = asyncio.get_running_loop().time()
        await writing
    lose(place)
    await restore.restore(place / "home", place / "backups")
    async with running(place) as server:
        assert server.password != password
        kept = await read(server)
        assert kept[:2] == [1, 2]
        due = sum(moment < lost_at - LOST_SECONDS for moment in acknowledged)
        assert kept[2:] == list(range(100, 100 + len(kept) - 2))
        assert due <= len(kept) - 2 <= len(acknowledged) + 1


@requirement("R44")
async def test_a_moment_before_a_mistake_is_restored(place: Path) -> None:
    async with running(place) as server:
        await take(server, place)
        await write(server, 1)
        await asyncio.sleep(1)  # the names of base backups count seconds
        before = datetime.now(UTC)
        await asyncio.sleep(0.05)
        await write(server, 2)
        await received(server, place)
    lose(place)
    restored = await restore.restore(place / "home", place / "backups", before)
    assert restored.last_commit is not None
    assert restored.last_commit < before
    async with running(place) as server:
        assert await read(server) == [1]
        await write(server, 3)
        await received(server, place)
    lose(place)
    await restore.restore(place / "home", place / "backups")  # follows the timeline that the first restore began
    async with running(place) as server:
        assert await read(server) == [1, 3]


async def test_restore_refuses_to_overwrite_or_to_skip_a_gap(place: Path) -> None:
    with pytest.raises(RestoreRefused, match="no base backup"):
        await restore.restore(place / "home", place / "backups")
    async with running(place) as server:
        await take(server, place)
        connection = await asyncpg.connect(server.url())
        for _ in range(3):
            await connection.execute("select pg_logical_emit_message(true, 'x', 'y')")
            await connection.fetch("select pg_switch_wal()")
        await connection.close()
        await received(server, place)
    with pytest.raises(RestoreRefused, match="holds a database"):
        await restore.restore(place / "home", place / "backups")
    lose(place)
    segments = base_backup.segments(place / "backups" / "wal" / "00000001")
    segments[-2][1].unlink()
    with pytest.raises(RestoreRefused, match="lacks 1 WAL segment"):
        await restore.restore(place / "home", place / "backups")
    assert not (place / "home" / "cluster").exists()


async def test_older_backups_go_with_the_wal_that_only_they_need(place: Path) -> None:
    async with running(place) as server:
        earlier = (await take(server, place)).first_segment
        await write(server, 1)
        await asyncio.sleep(1)
        second = await take(server, place, keep=1)
        await received(server, place)
        assert base_backup.found(place / "backups") == [second]
        numbers = [number for number, _ in base_backup.segments(place / "backups" / "wal" / "00000001")]
        assert earlier < second.first_segment == min(numbers)
        (second.folder / "global" / "pg_control").write_bytes(b"damaged")
    lose(place)
    with pytest.raises(BackupFailed, match="pg_control"):
        await restore.restore(place / "home", place / "backups")


def test_age_of_newest_counts_complete_backups_only(tmp_path: Path) -> None:
    def now() -> datetime:
        return datetime(2026, 11, 30, 14, tzinfo=UTC)

    assert base_backup.age_of_newest(tmp_path / "missing", now) == math.inf
    for name in ("unfinished", "removed", "base-yesterdayZ", "wal"):
        (tmp_path / name).mkdir()
    assert base_backup.age_of_newest(tmp_path, now) == math.inf
    for name in ("base-20261129T020000Z", "base-20261130T020000Z"):
        (tmp_path / name).mkdir()
    assert base_backup.age_of_newest(tmp_path, now) == 12 * 3600
