"""Work beside the calls ends when it is told to, whatever happens in the same moment."""

import asyncio

import pytest

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


async def test_who_waits_hears_whether_it_was_set_in_time() -> None:
    event = asyncio.Event()
    assert not await background.set_within(event, 0.01)
    event.set()
    assert await background.set_within(event, 60)
