"""Every process of an instance is killed: it restarts, or the instance ends and logs it."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD
from tests.fixtures.pace import within
from tests.fixtures.process import ROOT, Process, process_up
from tests.fixtures.proofs import control

BACK_SECONDS: Final = 10.0
"""How long health and REST may be unavailable."""
KILLED_SECONDS: Final = 0.1
"""By then every process has noticed."""
PATIENCE_SECONDS: Final = 60.0
MARKS: Final = {
    "guardian": b"postgres_guard.py",
    "postgres": b"postgres\0-D\0",
    "envoy": b"envoy.yaml",
    "server process 0": b"serve-one\x000",
    "server process 1": b"serve-one\x001",
}
"""Each child by its name in the log, with the text that only its command line contains."""
SESSION: Final = b"postgres: medconnect_server medconnect [local]"


SECRETS: Final = {
    "JWT_SECRET": "a-canary-of-the-tokens-0123456789",
    "QR_ENCRYPTION_KEY": "a-canary-of-the-codes-0123456789",
}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Returns a folder that the database's account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def process(home: Path) -> Iterator[Process]:
    """Yields `medconnect up` with a database of its own and two serving processes."""
    with process_up("", home, SERVER_PROCESSES="2", DB_POOL_SIZE="3", **SECRETS) as running:
        yield running


def below(pid: int) -> dict[int, bytes]:
    """Returns the command lines of a process's children by their process ids."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            found[int(child)] = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
    return found


def child(process: Process, name: str) -> int | None:
    """Returns the process id of the child with that name, if it lives and runs its program."""
    return next((pid for pid, line in below(process.child.pid).items() if MARKS[name] in line), None)


async def serves(rest: httpx.AsyncClient) -> bool:
    """Returns whether the health check and a call that needs the database succeed."""
    try:
        health = await rest.get("/health")
        login = await rest.post("/api/v1/auth/login", json={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    except httpx.HTTPError:
        return False
    return (health.status_code, login.status_code) == (200, 200)


async def back_after(process: Process, rest: httpx.AsyncClient, killed: int) -> float:
    """Kills a process and waits until the instance serves again; returns how many seconds that took."""
    os.kill(killed, signal.SIGKILL)
    await asyncio.sleep(KILLED_SECONDS)
    began = time.monotonic() - KILLED_SECONDS
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await serves(rest):
            await asyncio.sleep(0.05)
    return time.monotonic() - began


async def until_restarted(process: Process, name: str, times: int) -> None:
    """Waits until the log reports that many restarts of a child."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(line["child"] == name for line in logged(process, "child_restarted")) < times:
            await asyncio.sleep(0.05)


def logged(process: Process, event: str) -> list[dict[str, Any]]:
    """Returns the lines of an event in the instance's log."""
    return [found for line in process.logged if line.startswith("{") and (found := json.loads(line))["event"] == event]


@pytest.mark.parametrize("name", ["guardian", "postgres", "envoy"])
def test_programs_without_need_get_no_secrets_in_environment(process: Process, name: str) -> None:
    environment = Path(f"/proc/{child(process, name)}/environ").read_bytes()
    assert sorted(line.partition(b"=")[0] for line in environment.split(b"\0") if line) == [b"LC_ALL", b"PATH", b"TZ"]


@pytest.mark.parametrize("name", MARKS)
def test_no_process_of_an_instance_dumps_its_memory(process: Process, name: str) -> None:
    pid = child(process, name)
    assert pid is not None
    for number in (pid, process.child.pid):
        limits = Path(f"/proc/{number}/limits").read_text()
        assert re.search(r"^Max core file size +1 +1 +bytes", limits, flags=re.MULTILINE)


@control("S86")
async def test_every_killed_child_comes_back_and_is_logged(process: Process, home: Path, child_kills: int) -> None:
    kills: Counter[str] = Counter()
    slowest: dict[str, float] = defaultdict(float)
    async with httpx.AsyncClient(base_url=process.rest, timeout=PATIENCE_SECONDS) as rest:
        assert await serves(rest)
        for name in [*MARKS] * child_kills:
            pid = child(process, name)
            assert pid is not None
            slowest[name] = max(slowest[name], await back_after(process, rest, pid))
            kills[name] += 1
            await until_restarted(process, name, kills[name])
        for _ in range(child_kills):
            slowest["session"] = max(slowest["session"], await back_after(process, rest, session(process)))
    for line in logged(process, "child_restarted"):
        slowest[f"process: {line['child']}"] = max(slowest[f"process: {line['child']}"], line["seconds"])
    print("slowest return in seconds:", {name: round(seconds, 1) for name, seconds in slowest.items()})
    assert max(slowest[name] for name in (*MARKS, "session")) <= within(BACK_SECONDS)
    assert Counter(line["child"] for line in logged(process, "child_died")) == kills
    assert Counter(line["child"] for line in logged(process, "child_restarted")) == kills
    assert "terminated by signal 9" in (home / "postgres" / "server.log").read_text()


def session(process: Process) -> int:
    """Returns a process of PostgreSQL that works for one connection."""
    postgres = child(process, "postgres")
    assert postgres is not None
    return next(pid for pid, line in below(postgres).items() if SESSION in line)


@control("S86")
def test_a_child_that_cannot_come_back_ends_the_instance(process: Process) -> None:
    envoy = child(process, "envoy")
    assert envoy is not None
    host, _, port = process.rest.removeprefix("http://").rpartition(":")
    others = set(below(process.child.pid))
    os.kill(envoy, signal.SIGKILL)
    with taken(host, int(port)):
        assert process.child.wait(PATIENCE_SECONDS) == 1
    assert any("envoy died and could not be started again" in line for line in process.logged)
    assert not any("Traceback" in line for line in process.logged)
    assert not [pid for pid in others if Path(f"/proc/{pid}").exists()]


@contextmanager
def taken(host: str, port: int) -> Iterator[None]:
    """Listens on the port of a killed process as soon as it is free."""
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                thief.bind((host, port))
                break
            except OSError:
                assert time.monotonic() < deadline
        thief.listen()
        yield


def test_a_port_that_is_taken_is_told_in_a_line(shared_database_url: str, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = {
            **os.environ,
            "DATABASE_URL": shared_database_url,
            "MEDCONNECT_HOME": str(home / "another"),
            "GRPC_ADDRESS": "127.0.0.1:0",
            "REST_ADDRESS": f"127.0.0.1:{taken.getsockname()[1]}",
        }
        command = [sys.executable, "-m", "server", "up"]
        ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "medconnect: REST_ADDRESS: another program uses" in ended.stderr
    assert "Traceback" not in ended.stderr
