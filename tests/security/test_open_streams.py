"""An open stream ends with its token, when its session's state is unknown, and at its maximum age."""

import asyncio
from datetime import timedelta

import grpc
import pytest

from server.api.interceptors import stream_lifetime
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.interceptors.probe import House

PROMPT_SECONDS = 1.2
"""The promised second, and the time that the message needs."""
CODE = grpc.StatusCode


async def forever() -> None:
    await asyncio.Event().wait()


@control("S39")
async def test_a_stream_ends_with_its_token_and_not_before(house: House) -> None:
    metadata = house.bearer()
    house.probe.act = forever
    call = asyncio.create_task(house.call("stream", metadata))
    house.clock.moment += timedelta(minutes=15, seconds=29)
    await asyncio.sleep(0.6)
    assert not call.done()
    house.clock.moment += timedelta(seconds=2)
    async with asyncio.timeout(within(PROMPT_SECONDS)):
        answer = await call
    assert (answer.code, answer.reason) == (CODE.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert house.probe.closed_streams == 1


@control("S39")
async def test_stream_ends_when_session_state_is_unknown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.probe.act = forever
    call = asyncio.create_task(house.call("stream", house.bearer()))
    await asyncio.sleep(0.1)
    house.clock.forward(seconds=3)  # the cache is stale, and the database has no such session
    async with asyncio.timeout(within(PROMPT_SECONDS)):
        assert (await call).code is CODE.UNAUTHENTICATED


async def test_a_stream_of_half_an_hour_ends_without_an_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_lifetime, "OLDEST_SECONDS", 0.2)
    monkeypatch.setattr(stream_lifetime, "SPREAD_SECONDS", 1)
    house.probe.act = forever
    call = asyncio.create_task(house.call("stream", house.bearer()))
    await asyncio.sleep(0.1)
    assert not call.done()
    house.clock.seconds += 0.3
    async with asyncio.timeout(within(PROMPT_SECONDS)):
        answer = await call
    assert (answer.code, answer.bodies) == (CODE.OK, [])
    assert house.probe.closed_streams == 1
