"""Creates, starts and stops the embedded PostgreSQL of `medconnect up` (Linux only).

    home/lock             locked while the server runs: one supervisor for each home
    home/server.log       the output of initdb and the server since the last start
    home/cluster/         owned by the server's account, closed to all others; renamed into position when complete
        password          the generated password of the database owner
        data/             the data folder
        .s.PGSQL.5432     the only access: no TCP, and the socket requires the password

PostgreSQL refuses to run as root, so root runs it as another account (`postgres` or `nobody`). If that account cannot
reach `home`, the cluster is in /var/lib/medconnect and `home/cluster` is a link to it.
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import asyncpg

from server.db.embedded import wal_archive
from server.db.embedded.binaries import Account
from server.db.embedded.processes import PORT, PostgresGuard, Programs, Server, open_private
from server.supervision import restarts

OWNER: Final = "medconnect"
DATABASE: Final = "medconnect"
RELOCATED: Final = Path("/var/lib/medconnect")
"""The folder for root's clusters whose home the server's account cannot reach."""

_SOCKET_PATH_BYTES: Final = 106
_STAGING: Final = "cluster.new-"
_DURABLE: Mapping[str, str] = MappingProxyType({})


class DatabaseInUse(Exception):
    """Another supervisor runs the database of this home."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server; connections use a Unix socket in `socket_directory`."""

    socket_directory: Path
    port: int
    user: str
    """The superuser, who owns the database."""
    password: str = field(repr=False)
    server: Server
    """The server's process, across restarts."""

    @property
    def pid(self) -> int | None:
        """The process id of the server since its latest start."""
        return self.server.pid

    def url(self, database: str = DATABASE) -> str:
        """Returns a libpq URL with the password, for asyncpg; SQLAlchemy needs the scheme `postgresql+asyncpg:`."""
        host = quote(str(self.socket_directory))
        return f"postgresql://{self.user}:{self.password}@/{quote(database)}?host={host}&port={self.port}"


@asynccontextmanager
async def running(
    home: Path, *, settings: Mapping[str, str] = _DURABLE, backups: Path | None = None
) -> AsyncIterator[EmbeddedPostgres]:
    """Runs the PostgreSQL of the folder `home`, created at the first start, until the block is left.

    `settings` are server settings by name: tests trade durability for speed with `fsync=off`. `backups`: the folder to
    which the write-ahead log is copied; None: to none. The server stops with the block, and soon after this process is
    killed; it is restarted when it dies. Raises DatabaseInUse, DatabaseStartFailed and OSError, and KeepsDying from
    inside the block.
    """
    settings = {"max_slot_wal_keep_size": wal_archive.MOST_KEPT, **settings}
    with lock_home(home) as folder:
        programs = await asyncio.to_thread(Programs.of, folder)
        cluster = await _cluster(folder, programs, settings)
        with socket_directory(cluster, programs.account) as directory:
            guard, server = PostgresGuard(cluster, directory), Server(cluster, directory, programs, settings)
            async with restarts.running(guard), restarts.running(server):
                postgres = EmbeddedPostgres(directory, PORT, OWNER, (cluster / "password").read_text(), server)
                await _create_database(postgres)
                if backups is None:
                    await wal_archive.forget(postgres.url())
                    yield postgres
                    return
                async with wal_archive.kept(postgres.url(), programs, backups.resolve()):
                    yield postgres


@contextmanager
def lock_home(home: Path) -> Iterator[Path]:
    """Creates the folder if necessary, locks it, and yields its real path. Raises DatabaseInUse."""
    home = home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_private(home / "lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(f"the database in {home} is in use by another `medconnect up`") from None
        yield home


async def _cluster(home: Path, programs: Programs, settings: Mapping[str, str]) -> Path:
    """Returns the real path of the cluster; creates it under another name and renames it, so that it is complete."""
    cluster = home / "cluster"
    staging = new_cluster(home, programs.account)
    if staging is not None:
        await _initdb(staging.resolve(), programs, settings)
        complete(staging)
    return cluster.resolve()


def complete(staging: Path) -> None:
    """Gives a cluster that is complete its final name."""
    _sync(staging / "password")
    staging.rename(staging.with_name("cluster"))
    _sync(staging.parent)


def new_cluster(home: Path, account: Account) -> Path | None:
    """Returns a folder, or a link to one, with the password for a new cluster; None when there is a cluster."""
    for leftover in home.glob(f"{_STAGING}*"):
        _discard(leftover)
    if os.path.lexists(home / "cluster"):
        return None
    # The name differs each time: the initdb of a killed supervisor may still be writing into an earlier one.
    staging = home / f"{_STAGING}{secrets.token_hex(4)}"
    if account.reaches(home):
        staging.mkdir(mode=0o700)
    else:
        RELOCATED.mkdir(parents=True, exist_ok=True)
        RELOCATED.chmod(0o711)
        staging.symlink_to(tempfile.mkdtemp(prefix="cluster-", dir=RELOCATED))
    with open_private(staging / "password", "w") as password:
        password.write(secrets.token_urlsafe(32))
    if account.is_another:
        os.chown(staging / "password", account.uid, account.gid)
        os.chown(staging, account.uid, account.gid)
    return staging


def _sync(path: Path) -> None:
    """Makes a file, or the names in a folder, durable against power loss; initdb does so for the data."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(staging: Path) -> None:
    """Removes the files of an unfinished start; the next start removes any that a running initdb still adds."""
    shutil.rmtree(staging.resolve(), ignore_errors=True)
    if staging.is_symlink():
        staging.unlink()


async def _initdb(cluster: Path, programs: Programs, settings: Mapping[str, str]) -> None:
    options = ["--username", OWNER, "--pwfile", str(cluster / "password"), "--auth", "scram-sha-256"]
    options += ["--encoding", "UTF8", "--locale", "C"]
    if programs.binaries.major >= 17:
        options += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    if settings.get("fsync") == "off":
        options.append("--no-sync")
    process = await programs.start("initdb", "--pgdata", str(cluster / "data"), *options)
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        raise
    if status != 0:
        raise programs.failure(f"initdb ended with status {status}")


@contextmanager
def socket_directory(cluster: Path, account: Account) -> Iterator[Path]:
    """Yields the cluster, or a temporary folder if the cluster's path is unsuitable for a socket or a URL."""
    path = os.fsencode(cluster / f".s.PGSQL.{PORT}")
    if len(path) <= _SOCKET_PATH_BYTES and not set(path) & set(b',:"'):
        yield cluster
        return
    directory = Path(tempfile.mkdtemp(prefix="medconnect-", dir="/tmp"))  # TMPDIR's path may be too long as well
    try:
        if account.is_another:
            os.chown(directory, account.uid, account.gid)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _create_database(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        if await connection.fetchval("select true from pg_database where datname = $1", DATABASE) is None:
            await connection.execute(f'create database "{DATABASE}"')
    finally:
        await connection.close()
