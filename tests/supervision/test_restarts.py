"""Tests that a child process that dies is restarted after growing pauses, and given up if it keeps dying."""

import asyncio
import sys

import pytest
import structlog

from server.supervision import progress, restarts
from server.supervision.restarts import KeepsDying, StartFailed
from tests.fixtures.proofs import control


class Program:
    """Runs a line of Python in each life of the child; with an empty line the child does not start."""

    name = "program"

    def __init__(self, *lives: str) -> None:
        self._lives = list(lives)
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        self.starts += 1
        line = self._lives.pop(0) if len(self._lives) > 1 else self._lives[0]
        if not line:
            raise StartFailed("it does not start\nits log may quote a patient")
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", line)

    async def wait(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


LONG = "import time; time.sleep(60)"
DIES = "raise SystemExit(3)"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(restarts, "LONGEST_PAUSE_SECONDS", 0.01)


@control("S86")
async def test_a_child_is_restarted_and_each_death_is_logged() -> None:
    program = Program(DIES, DIES, "", LONG)
    with structlog.testing.capture_logs() as logged:
        async with asyncio.timeout(30), restarts.running(program):
            while sum(line["event"] == "child_restarted" for line in logged) < 2:
                await asyncio.sleep(0.01)
            living = program.pid
    assert [line["event"] for line in logged] == [
        *("child_died", "child_restarted", "child_died", "child_not_started", "child_restarted")
    ]
    assert [line["code"] for line in logged if line["event"] == "child_died"] == [3, 3]
    assert logged[-1]["pid"] == living
    assert "patient" not in str(logged)


@control("S86")
async def test_a_child_that_keeps_dying_ends_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "MOST_DEATHS", 3)
    program = Program(DIES)
    with pytest.raises(KeepsDying, match="program keeps dying: 4 times"):
        async with asyncio.timeout(30), restarts.running(program):
            await asyncio.Event().wait()
    assert program.starts == 4


@control("S86")
async def test_a_child_that_cannot_be_started_again_ends_the_block() -> None:
    program = Program(DIES, "")
    with pytest.raises(KeepsDying, match="could not be started again, 10 times in a row"):
        async with asyncio.timeout(30), restarts.running(program):
            await asyncio.Event().wait()
    assert program.starts == 1 + restarts.MOST_FAILED_STARTS


async def test_a_child_that_does_not_start_at_first_raises_why() -> None:
    with pytest.raises(StartFailed, match="it does not start"):
        async with restarts.running(Program("")):
            pytest.fail("the block was entered")


async def test_leaving_the_block_stops_the_child_for_good() -> None:
    program = Program(LONG)
    async with restarts.running(program):
        pass
    assert await program.wait() == -9
    assert program.starts == 1


def test_pauses_double_and_deaths_are_forgotten_after_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(restarts, "LONGEST_PAUSE_SECONDS", 2.0)
    deaths = restarts._Deaths()
    assert [deaths.pause_after(float(now)) for now in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert deaths.pause_after(5 + restarts.PERIOD_SECONDS) == 0.1
    assert [deaths.pause_after(5 + restarts.PERIOD_SECONDS) for _ in range(restarts.MOST_DEATHS)][-1] is None


BUSY_THEN_READY = (
    "import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass\nprint('x', flush=True)"
)


@pytest.mark.parametrize(("line", "answer"), [(BUSY_THEN_READY, b"x"), (DIES, b"")])
async def test_a_start_may_take_as_long_as_the_process_works(line: str, answer: bytes) -> None:
    assert await started(line, idle_seconds=1.0) == answer


async def test_a_start_that_hangs_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        await started(LONG, idle_seconds=1.0)


async def started(line: str, idle_seconds: float) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", line), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        return await progress.while_it_works(process.pid, process.stdout.read(1), idle_seconds)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
