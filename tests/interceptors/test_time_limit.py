"""Tests the time limits of the chain: what they raise, and that waits of equal length share one timer."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from server.api.interceptors.time_limit import CallLater, SharedTimer, run_within
from server.errors import DeadlineExceeded


def own_timers() -> CallLater:
    return asyncio.get_running_loop().call_later


def shared_timer() -> CallLater:
    return SharedTimer().call_later


TIMERS = pytest.mark.parametrize("timers", [own_timers, shared_timer])
Timers = Callable[[], CallLater]


@TIMERS
async def test_work_within_its_limit_returns_its_result(timers: Timers) -> None:
    assert await run_within(0.2, asyncio.sleep(0.01, "done"), timers()) == "done"
    await asyncio.sleep(0.25)  # A timer that was left would cancel this test.


@TIMERS
async def test_work_past_its_limit_is_cancelled_and_refused(timers: Timers) -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(DeadlineExceeded):
        await run_within(0.02, work(), timers())
    assert cancelled.is_set()
    await asyncio.sleep(0)  # The task itself is not cancelled.


@TIMERS
async def test_errors_of_the_work_pass_through(timers: Timers) -> None:
    async def work() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await run_within(1, work(), timers())


@TIMERS
async def test_cancellation_from_outside_stays_a_cancellation(timers: Timers) -> None:
    task = asyncio.create_task(run_within(5, asyncio.sleep(20), timers()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_waits_that_began_apart_end_apart() -> None:
    timer, now = SharedTimer(), asyncio.get_running_loop().time
    lasted: list[float] = []

    def wait(began: float) -> None:
        timer.call_later(0.1, lambda: lasted.append(now() - began))

    for _ in range(3):
        wait(now())
        await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        while len(lasted) < 3:
            await asyncio.sleep(0.01)
    assert min(lasted) >= 0.099


async def test_a_thousand_waits_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, made = asyncio.get_running_loop(), itertools.count()
    call_at: Any = loop.call_at
    monkeypatch.setattr(loop, "call_at", lambda *given, **named: (next(made), call_at(*given, **named))[1])
    timer = SharedTimer()
    waits = [timer.call_later(0.05, lambda: pytest.fail("was cancelled")) for _ in range(1000)]
    assert next(made) == 1
    for wait in waits:
        wait.cancel()
    await asyncio.sleep(0.1)
    ended = asyncio.Event()
    timer.call_later(0.01, ended.set)
    await asyncio.wait_for(ended.wait(), 1)
