"""Tests the limit on concurrent calls: grpc keeps it, wave after wave (before 1.80 it lost count, grpc#41531)."""

import asyncio
from pathlib import Path

import grpc

from server.db.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.interceptors.probe import running_house

LIMIT, WAVES, CALLS = 2, 20, 20


async def test_the_limit_holds_over_many_waves(work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> None:
    active = peak = 0

    async def act() -> None:
        nonlocal active, peak
        active += 1
        peak = max(peak, active)
        await asyncio.sleep(0.01)
        active -= 1

    async with running_house(work, clock, tmp_path, maximum_concurrent_rpcs=LIMIT) as house:
        house.probe.act = act
        token = house.bearer()
        for _ in range(WAVES):
            answers = await asyncio.gather(*(house.call("unary", token) for _ in range(CALLS)))
            codes = [answer.code for answer in answers]
            assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert codes.count(grpc.StatusCode.OK) >= LIMIT
    assert (active, peak) == (0, LIMIT)
