"""The PostgreSQL that `medconnect up` brings along: made, started and stopped here (Linux only).

    home/lock             held while the server runs: one supervisor for each home
    home/server.log       what initdb and the server wrote since the last start
    home/cluster/         owned by the server's account, closed to all others; appears complete or not at all
        password          of the database owner, generated
        data/             the data folder
        .s.PGSQL.5432     the only way in: no TCP, and the socket asks for the password

Root cannot run PostgreSQL, so for root another account does (`postgres` or `nobody`). Where that account
cannot reach `home`, the cluster lies in /var/lib/medconnect and `home/cluster` is a link to it.
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TextIO, cast
from urllib.parse import quote

import asyncpg

from server.db import guardian
from server.db.postgres_binaries import Account, Binaries

OWNER: Final = "medconnect"
DATABASE: Final = "medconnect"
PORT: Final = 5432
"""Names the socket file only; nothing listens on TCP."""
RELOCATED: Final = Path("/var/lib/medconnect")
"""Where root keeps clusters whose home the server's account cannot reach."""

READY_SECONDS: Final = 60.0
"""Time to accept connections; after a power cut the server first replays up to max_wal_size of its log."""

_SOCKET_PATH_BYTES: Final = 106
_STAGING: Final = "cluster.new-"
_POLL_SECONDS: Final = 0.01
# A child gets nothing of our environment: it holds secrets, and PG* or LC_* change what the programs do.
_ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_DEFAULTS: Final = {"lc_messages": "C", "timezone": "UTC", "log_timezone": "UTC"}
_DURABLE: Mapping[str, str] = MappingProxyType({})


class DatabaseInUse(Exception):
    """Another supervisor runs the database of this home."""


class DatabaseStartFailed(Exception):
    """The database could not be made or started; the text ends with the last lines of the log."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server, reached through a Unix socket in `socket_directory`."""

    socket_directory: Path
    port: int
    user: str
    """The superuser, who owns the database."""
    password: str = field(repr=False)
    pid: int

    def url(self, database: str = DATABASE) -> str:
        """A libpq URL with the password. asyncpg takes it so; SQLAlchemy wants `postgresql+asyncpg:`."""
        host = quote(str(self.socket_directory))
        return f"postgresql://{self.user}:{self.password}@/{quote(database)}?host={host}&port={self.port}"


@asynccontextmanager
async def running(home: Path, *, settings: Mapping[str, str] = _DURABLE) -> AsyncIterator[EmbeddedPostgres]:
    """Runs the PostgreSQL of the folder `home`, made at the first start, until the block is left.

    `settings` are server settings by name: tests give up durability with `fsync=off`. The server stops with
    the block, and within moments when this process is killed. Raises DatabaseInUse and DatabaseStartFailed.
    """
    with _locked(home) as folder:
        programs = await asyncio.to_thread(_Programs.of, folder)
        cluster = await _cluster(folder, programs, settings)
        await asyncio.to_thread(_clear_leftovers, cluster / "data")
        with _socket_directory(cluster, programs.account) as directory:
            async with _guarded(cluster, directory), _serving(cluster, directory, programs, settings) as pid:
                server = EmbeddedPostgres(directory, PORT, OWNER, (cluster / "password").read_text(), pid)
                await _create_database(server)
                yield server


@dataclass(frozen=True, slots=True)
class _Programs:
    """Starts the programs of one home: from its binaries, as its account, writing to its log."""

    binaries: Binaries
    account: Account
    log: Path

    @classmethod
    def of(cls, home: Path) -> "_Programs":
        """Those of the version that made the data, if there are any; the log begins anew."""
        version = home / "cluster" / "data" / "PG_VERSION"
        try:
            account = Account.owner_of(home / "cluster")
            binaries = Binaries.find(account, int(version.read_text()) if version.exists() else None)
        except LookupError as problem:
            raise DatabaseStartFailed(str(problem)) from problem
        if account.is_another and home.stat().st_uid == os.geteuid():
            os.chown(home, -1, account.gid)
            home.chmod(0o710)
        log = home / "server.log"
        _open_private(log, "w").close()
        return cls(binaries, account, log)

    async def start(self, name: str, *arguments: str) -> Process:
        """A child in a session of its own: Ctrl-C at the terminal must reach the supervisor alone."""
        with _open_private(self.log, "a") as log:
            return await asyncio.create_subprocess_exec(
                self.binaries.folder / name,
                *arguments,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=[] if self.account.is_another else None,
            )

    def failure(self, text: str) -> DatabaseStartFailed:
        """The error to raise, with the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return DatabaseStartFailed("\n".join([f"{text}; {self.log} ends with:", *lines]))


@contextmanager
def _locked(home: Path) -> Iterator[Path]:
    """Makes the folder if need be, and yields its real path."""
    home = home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _open_private(home / "lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(f"the database in {home} is in use by another `medconnect up`") from None
        yield home


def _open_private(path: Path, mode: str) -> TextIO:
    """Opens a file that only its owner can read, and no link in its place."""
    return cast(TextIO, open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)))


async def _cluster(home: Path, programs: _Programs, settings: Mapping[str, str]) -> Path:
    """The real path of the cluster, made under another name and renamed: a half one is never found."""
    cluster = home / "cluster"
    staging = _staging(home, programs.account)
    if staging is not None:
        await _initdb(staging.resolve(), programs, settings)
        _sync(staging / "password")
        staging.rename(cluster)
        _sync(home)
    return cluster.resolve()


def _staging(home: Path, account: Account) -> Path | None:
    """A folder, or a link to one, for a new cluster, holding the password; None when there is a cluster."""
    for leftover in home.glob(f"{_STAGING}*"):
        _discard(leftover)
    if os.path.lexists(home / "cluster"):
        return None
    # The name is new each time: the initdb of a killed supervisor may still be writing into the last one.
    staging = home / f"{_STAGING}{secrets.token_hex(4)}"
    if account.reaches(home):
        staging.mkdir(mode=0o700)
    else:
        RELOCATED.mkdir(parents=True, exist_ok=True)
        RELOCATED.chmod(0o711)
        staging.symlink_to(tempfile.mkdtemp(prefix="cluster-", dir=RELOCATED))
    with _open_private(staging / "password", "w") as password:
        password.write(secrets.token_urlsafe(32))
    if account.is_another:
        os.chown(staging / "password", account.uid, account.gid)
        os.chown(staging, account.uid, account.gid)
    return staging


def _sync(path: Path) -> None:
    """Makes a file, or the names in a folder, outlive a power cut; initdb does so for the data."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(staging: Path) -> None:
    """Removes what an unfinished start left; what a still running initdb adds goes at the next start."""
    shutil.rmtree(staging.resolve(), ignore_errors=True)
    if staging.is_symlink():
        staging.unlink()


async def _initdb(cluster: Path, programs: _Programs, settings: Mapping[str, str]) -> None:
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


def _clear_leftovers(data: Path) -> None:
    """Ends the server of a killed supervisor, and frees a folder whose recorded process number is reused.

    A server refuses to start while the recorded number belongs to a living process. It takes its own parent's
    number for a stale one, and still looks for sessions left over: safer than removing the record.
    """
    guardian.stop_server(data)
    recorded = guardian.recorded_process(data)
    if recorded is None or guardian.is_postgres(recorded):
        return
    with _open_private(data / "postmaster.pid", "r+") as record:
        _, _, rest = record.read().partition("\n")
        record.seek(0)
        record.write(f"{os.getpid()}\n{rest}")
        record.truncate()


@contextmanager
def _socket_directory(cluster: Path, account: Account) -> Iterator[Path]:
    """The cluster itself, or a folder for this run where its path cannot be a socket's or stand in a URL."""
    path = os.fsencode(cluster / f".s.PGSQL.{PORT}")
    if len(path) <= _SOCKET_PATH_BYTES and not set(path) & set(b',:"'):
        yield cluster
        return
    directory = Path(tempfile.mkdtemp(prefix="medconnect-", dir="/tmp"))  # TMPDIR may be as deep as the home
    try:
        if account.is_another:
            os.chown(directory, account.uid, account.gid)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def _guarded(cluster: Path, directory: Path) -> AsyncIterator[None]:
    """Starts the guardian before the server, and sends it away only after the server has stopped."""
    temporary = [] if directory == cluster else [str(directory)]
    arguments = ["-I", "-S", str(guardian.__file__), str(cluster / "data"), *temporary]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        stopped = guardian.find_server(cluster / "data") is None
        await process.communicate(guardian.FAREWELL if stopped else b"")


@asynccontextmanager
async def _serving(
    cluster: Path, directory: Path, programs: _Programs, settings: Mapping[str, str]
) -> AsyncIterator[int]:
    private = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(directory),
        "unix_socket_permissions": "0700",
    }
    options = [f"--{name}={value}" for name, value in (_DEFAULTS | dict(settings) | private).items()]
    process = await programs.start("postgres", "-D", str(cluster / "data"), *options)
    try:
        await _wait_until_ready(process, cluster / "data", programs)
        yield process.pid
    finally:
        await _stop(process)


async def _wait_until_ready(process: Process, data: Path, programs: _Programs) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while not _is_ready(process.pid, data):
        if process.returncode is not None:
            raise programs.failure(f"the database ended with status {process.returncode} at its start")
        if asyncio.get_running_loop().time() > deadline:
            raise programs.failure(f"the database accepts no connections after {READY_SECONDS:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)


def _is_ready(process: int, data: Path) -> bool:
    """Reads the state that the server keeps in line 8 of postmaster.pid, as pg_ctl does."""
    record = guardian.read_record(data)
    return record[:1] == [str(process)] and record[7:8] == ["ready"]


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(guardian.STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _create_database(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        if await connection.fetchval("select true from pg_database where datname = $1", DATABASE) is None:
            await connection.execute(f'create database "{DATABASE}"')
    finally:
        await connection.close()
