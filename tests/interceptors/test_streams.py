"""Tests a stream that its client does not read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from medconnect.events.v1 import events_service_pb2 as pb

from server.api.interceptors import base
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.fixtures.pace import within
from tests.interceptors.probe import BODY, PATHS, House, running_house

BIG = "x" * 60_000


@pytest.fixture
async def house(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    async with running_house(work, clock, tmp_path) as running:
        yield running


async def test_slow_consumer_is_told_to_resume_and_others_continue(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "READ_SECONDS", 0.5)
    house.probe.messages = 10_000
    monkeypatch.setattr(pb, "WatchEmailQueueStatusResponse", lambda **_: pb.EmitTestEventResponse(event_type=BIG))
    channel: Any = house.direct
    unread = channel.unary_stream(PATHS["stream"])(BODY, metadata=house.bearer())
    await unread.read()
    for _ in range(20):
        answer = await asyncio.wait_for(house.call("unary", house.bearer()), 1)
        assert answer.code is grpc.StatusCode.OK
        await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        while house.probe.closed_streams == 0:
            await asyncio.sleep(0.02)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        while True:
            await asyncio.wait_for(unread.read(), 5)
    assert ended.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert b"SLOW_CONSUMER" in dict(ended.value.trailing_metadata())["grpc-status-details-bin"]


async def test_when_the_server_stops_a_stream_ends_and_none_begins(house: House) -> None:
    house.probe.act = lambda: asyncio.sleep(0.01)
    house.probe.messages = 10_000
    open_stream = asyncio.create_task(house.call("stream", house.bearer()))
    await asyncio.sleep(0.1)
    house.stopping.set()
    ended = await asyncio.wait_for(open_stream, within(1))
    assert (ended.code, ended.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert 0 < len(ended.bodies) < house.probe.messages
    refused = await house.call("stream", house.bearer())
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert (await house.call("unary", house.bearer())).code is grpc.StatusCode.OK
