"""Tests that background work ends when it is stopped, whatever happens at the same moment."""

import asyncio
import logging
import time

import pytest
from structlog.testing import capture_logs

from server import background


async def wait_again_and_again(event: asyncio.Event) -> None:
    while True:
        await background.set_within(event, 60)
        event.clear()


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_that_comes_with_the_event_is_not_lost(turns: int) -> None:
    event = asyncio.Event()
    async with asyncio.timeout(5):
        async with background.running(wait_again_and_again(event)) as work:
            for _ in range(3):
                await asyncio.sleep(0)
            event.set()
            for _ in range(turns):
                await asyncio.sleep(0)
        assert work.cancelled()


async def test_wait_returns_whether_it_was_set_in_time() -> None:
    event = asyncio.Event()
    assert not await background.set_within(event, 0.01)
    event.set()
    assert await background.set_within(event, 60)


class Died(Exception):
    """An error that the work raises."""


async def dies(after: float = 0.0) -> None:
    await asyncio.sleep(after)
    raise Died


@pytest.mark.parametrize("after", [0.0, 0.02])
async def test_work_that_dies_ends_the_block_with_its_error(after: float) -> None:
    with pytest.raises(Died):
        async with asyncio.timeout(5), background.running(dies(after)):
            await asyncio.Event().wait()
    await asyncio.sleep(0)  # the cancellation was undone


async def test_work_that_dies_while_the_block_is_left_raises_its_error() -> None:
    with pytest.raises(Died):
        async with background.running(dies()) as work:
            await asyncio.wait([work])


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError):
        async with background.running(wait_again_and_again(asyncio.Event())):
            raise LookupError


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def block() -> None:
        async with background.running(wait_again_and_again(asyncio.Event())):
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_stopped_work_finishes_its_current_step() -> None:
    stop, finished = asyncio.Event(), False

    async def work() -> None:
        nonlocal finished
        await stop.wait()
        await asyncio.sleep(0.01)
        finished = True

    async with background.running(work(), stop.set):
        pass
    assert finished


async def test_repeat_after_a_failure_works_again_and_logs_it() -> None:
    rounds, third = 0, asyncio.Event()

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise ZeroDivisionError
        if rounds == 3:
            third.set()

    with capture_logs() as logs:
        async with background.running(background.repeat(work, every=0.001, failed="work_failed")):
            assert await background.set_within(third, 5)
    failures = [entry for entry in logs if entry["event"] == "work_failed"]
    assert failures == [{"event": "work_failed", "log_level": "warning", "error": "ZeroDivisionError"}]


async def test_repeat_with_level_and_delay_starts_later_and_logs_at_it() -> None:
    began, worked = time.monotonic(), asyncio.Event()

    async def work() -> None:
        worked.set()
        raise ZeroDivisionError

    with capture_logs() as logs:
        repeated = background.repeat(work, every=60, failed="work_failed", level=logging.ERROR, delay=0.05)
        async with background.running(repeated):
            assert await background.set_within(worked, 5)
            assert time.monotonic() - began >= 0.05
            await asyncio.sleep(0)
    assert logs == [{"event": "work_failed", "log_level": "error", "error": "ZeroDivisionError"}]
