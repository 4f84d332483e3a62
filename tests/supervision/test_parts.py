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
from uuid import uuid4

import httpx
import pytest

from tests.edge.test_drain import children_of
from tests.fixtures.pace import within
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


def logged(process: Process, event: str) -> int:
    """Returns how often an event is in the log."""
    return sum(f'"event": "{event}"' in line for line in process.logged)


async def works(rest: httpx.AsyncClient) -> bool:
    """Returns whether a call that needs every part is decided: the sign-in of an unknown account is refused.

    Each call names another account, because failed sign-ins of one are soon refused without a look at the account.
    """
    unknown = {"email": f"{uuid4()}@example.org", "password": "wrong password"}
    try:
        answer = await rest.post("/api/v1/auth/login", json=unknown)
    except httpx.HTTPError:
        return False
    return answer.status_code == 401


@control("S86")
async def test_each_killed_part_is_back_within_ten_seconds(home: Path, part_kills: int) -> None:
    with process_up("", home, SERVER_PROCESSES="2") as process:
        async with httpx.AsyncClient(base_url=process.rest, timeout=5) as rest:
            for number, name in enumerate([*PARTS] * part_kills, 1):
                killed = pid_of(process, PARTS[name])
                assert killed is not None, name
                os.kill(killed, signal.SIGKILL)
                began = time.monotonic()
                while logged(process, "child_restarted") < number or not await works(rest):
                    assert time.monotonic() - began < within(BACK_SECONDS), name
                    await asyncio.sleep(0.1)
                assert logged(process, "child_died") == number
