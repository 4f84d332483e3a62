"""Every part of an instance is killed in turn: all are back within ten seconds, and each death is in the log."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.edge.test_drain import children_of
from tests.fixtures.process import Process, process_up
from tests.fixtures.proofs import control

BACK_SECONDS: Final = 10.0
PARTS: Final = {"envoy": b"envoy.yaml", "postgres": b"bin/postgres\0-D", "serving process": b"serve-one\x000"}
"""The parts, by words of their command lines."""


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
    folder.chmod(0o711)  # the database runs under its own account
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def pid_of(process: Process, words: bytes) -> int | None:
    """Returns the process of a part, if it runs."""
    for pid in children_of(process):
        try:
            if words in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        except OSError:  # it has ended meanwhile
            continue
    return None


async def works(rest: httpx.AsyncClient) -> bool:
    """Returns whether a call that needs every part is decided: the sign-in of an unknown account is refused."""
    try:
        answer = await rest.post("/api/v1/auth/login", json={"email": "x@example.org", "password": "wrong password"})
    except httpx.HTTPError:
        return False
    return answer.status_code == 401


@control("S86")
async def test_each_killed_part_is_back_within_ten_seconds(home: Path, part_kills: int) -> None:
    with process_up("", home, SERVER_PROCESSES="2") as process:
        async with httpx.AsyncClient(base_url=process.rest, timeout=5) as rest:
            for name in [*PARTS] * part_kills:
                killed = pid_of(process, PARTS[name])
                assert killed is not None, name
                os.kill(killed, signal.SIGKILL)
                began = time.monotonic()
                while pid_of(process, PARTS[name]) in (None, killed) or not await works(rest):
                    assert time.monotonic() - began < BACK_SECONDS, name
                    await asyncio.sleep(0.1)
        deaths = [line for line in process.logged if "child_died" in line]
        assert len(deaths) == len(PARTS) * part_kills
