"""The processes of the embedded PostgreSQL, across restarts: the server, and the guardian that stops it."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from server.db.embedded.binaries import Account, Binaries
from server.supervision import postgres_guard, restarts
from server.supervision.environment import BARE
from server.supervision.restarts import StartFailed

PORT: Final = 5432
"""Only part of the socket file's name; no process listens on TCP."""
READY_SECONDS: Final = 600.0
"""The time to accept connections; after a power loss the server first replays up to max_wal_size of its log."""

_POLL_SECONDS: Final = 0.01
_DEFAULTS: Final = {"lc_messages": "C", "timezone": "UTC", "log_timezone": "UTC"}
_LOGGING: Final = {
    "log_min_messages": "log",  # errors are sent to the session only: their texts may quote a value
    "log_error_verbosity": "terse",  # without DETAIL, which quotes rows
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""Settings that keep values, which may be patients' data, out of the server's log."""
_RELIABLE_SYNCFS: Final = (5, 8)
"""The first version of Linux whose syncfs() reports write errors."""


class DatabaseStartFailed(StartFailed):
    """The database could not be created or started; the text ends with the last lines of the log."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Starts the programs of one home: from its binaries, as its account, writing to its log."""

    binaries: Binaries
    account: Account
    log: Path

    @classmethod
    def of(cls, home: Path, data: Path | None = None) -> "Programs":
        """Returns the programs of the version that created the data, if it exists, and empties the log.

        data: the data, if they are not those of this home.
        """
        version = (data or home / "cluster" / "data") / "PG_VERSION"
        try:
            account = Account.owner_of(home / "cluster")
            binaries = Binaries.find(account, int(version.read_text()) if version.exists() else None)
        except LookupError as problem:
            raise DatabaseStartFailed(str(problem)) from problem
        if account.is_another and home.stat().st_uid == os.geteuid():
            os.chown(home, -1, account.gid)
            home.chmod(0o710)
        log = home / "server.log"
        open_private(log, "w").close()
        return cls(binaries, account, log)

    async def start(self, name: str, *arguments: str, environment: Mapping[str, str] = BARE) -> Process:
        """Starts a program in a session of its own: Ctrl-C at the terminal must reach the supervisor only."""
        with open_private(self.log, "a") as log:
            return await asyncio.create_subprocess_exec(
                self.binaries.folder / name,
                *arguments,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd="/",
                env=environment,
                start_new_session=True,
                **self.account.switch(),
            )

    def failure(self, text: str) -> DatabaseStartFailed:
        """Returns the error to raise, with the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return DatabaseStartFailed("\n".join([f"{text}; {self.log} ends with:", *lines]))


def environment_of(url: str) -> Mapping[str, str]:
    """Returns the environment in which a program of PostgreSQL connects to the embedded database of this URL.

    A password among the arguments would be readable for every account of the machine.
    """
    parts = urlsplit(url)
    place = dict(parse_qsl(parts.query))
    return {
        **BARE,
        "PGHOST": place["host"],
        "PGPORT": place["port"],
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
    }


def open_private(path: Path, mode: str) -> TextIO:
    """Opens a file that only its owner can read, and refuses a symbolic link."""
    return cast(TextIO, open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)))


class PostgresGuard:
    """The guardian, across restarts; it starts before the server and is dismissed only after the server has stopped."""

    name: Final = "guardian"

    def __init__(self, cluster: Path, directory: Path) -> None:
        temporary = [] if directory == cluster else [str(directory)]
        self._data = cluster / "data"
        self._arguments = ["-I", "-S", str(postgres_guard.__file__), str(self._data), *temporary]
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id since the latest start."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts the guardian, without this process's environment. Raises OSError."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            cwd="/",
            env=BARE,
            start_new_session=True,
        )

    async def wait(self) -> int:
        """Waits until the process ends and returns its exit code."""
        return await _end_of(self._process)

    async def stop(self) -> None:
        """Dismisses the guardian, or leaves a server that did not stop for it to end."""
        if self._process is not None:
            stopped = postgres_guard.find_server(self._data) is None
            await self._process.communicate(postgres_guard.FAREWELL if stopped else b"")


class Server:
    """The PostgreSQL server, across restarts."""

    name: Final = "postgres"

    def __init__(self, cluster: Path, directory: Path, programs: Programs, settings: Mapping[str, str]) -> None:
        private = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(directory),
            "unix_socket_permissions": "0700",
        }
        chosen = {**_DEFAULTS, **_LOGGING, **_recovery(os.uname().release), **settings, **private}
        self._options = [f"--{name}={value}" for name, value in chosen.items()]
        self._data = cluster / "data"
        self._programs = programs
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id since the latest start."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts the server and returns when it accepts connections. Raises DatabaseStartFailed."""
        await asyncio.to_thread(_clear_leftovers, self._data)
        self._process = process = await self._programs.start("postgres", "-D", str(self._data), *self._options)
        try:
            await _wait_until_ready(process, self._data, self._programs)
        except DatabaseStartFailed:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Waits until the process ends and returns its exit code."""
        return await _end_of(self._process)

    async def stop(self) -> None:
        """Stops the server and its sessions; kills it when that takes longer than STOP_SECONDS."""
        await restarts.stop_process(self._process, signal.SIGINT, postgres_guard.STOP_SECONDS)


def _recovery(kernel: str) -> Mapping[str, str]:
    """Returns the setting that makes a crashed server's files durable before recovery: all at once, or one by one."""
    version = tuple(int(number) for number in re.findall(r"\d+", kernel)[:2])
    return {"recovery_init_sync_method": "syncfs" if version >= _RELIABLE_SYNCFS else "fsync"}


async def _end_of(process: Process | None) -> int:
    if process is None:
        raise RuntimeError("not started")
    return await process.wait()


async def _wait_until_ready(process: Process, data: Path, programs: Programs) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while not _is_ready(process.pid, data):
        if process.returncode is not None:
            raise programs.failure(f"the database ended with status {process.returncode} at its start")
        if asyncio.get_running_loop().time() > deadline:
            raise programs.failure(f"the database accepts no connections after {READY_SECONDS:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)


def _is_ready(process: int, data: Path) -> bool:
    """Reads the state that the server keeps in line 8 of postmaster.pid, as pg_ctl does."""
    record = postgres_guard.read_record(data)
    return record[:1] == [str(process)] and record[7:8] == ["ready"]


def _clear_leftovers(data: Path) -> None:
    """Stops the server of a killed supervisor, and unblocks a folder whose recorded process id is in use again.

    A server refuses to start while the recorded id belongs to a live process. It treats its own parent's id as stale,
    and still checks for remaining sessions: that is safer than removing the record.
    """
    postgres_guard.stop_server(data)
    recorded = postgres_guard.recorded_process(data)
    if recorded is None or postgres_guard.is_postgres(recorded):
        return
    with open_private(data / "postmaster.pid", "r+") as record:
        _, _, rest = record.read().partition("\n")
        record.seek(0)
        record.write(f"{os.getpid()}\n{rest}")
        record.truncate()
