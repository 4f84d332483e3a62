"""Tests how long a call may take."""

import asyncio
import time

import grpc
import pytest

from server.api.interceptors import deadline
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.interceptors.probe import FACES, House

DEADLINE = grpc.StatusCode.DEADLINE_EXCEEDED


class Work:
    """A handler that works too long, with the times at which it began and was cancelled."""

    def __init__(self) -> None:
        self.began = 0.0
        self.cancelled = 0.0

    async def __call__(self) -> None:
        self.began = time.monotonic()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            self.cancelled = time.monotonic()
            raise


async def test_with_hardly_any_time_left_the_work_is_not_begun(house: House) -> None:
    await house.call("unary", house.bearer())
    house.probe.requests.clear()
    house.probe.act = Work()
    started = time.monotonic()
    answer = await house.call("unary", house.bearer(), seconds=0.03)
    assert time.monotonic() - started < within(0.2)
    assert answer.code is DEADLINE
    await asyncio.sleep(0.05)
    assert house.probe.requests == []


async def test_work_is_cancelled_in_time_to_deliver_the_rejection(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "REPLY_SECONDS", 0.4)  # More than usual, because the test machine may be busy.
    work = house.probe.act = Work()
    started = time.monotonic()
    answer = await house.call("unary", house.bearer(), seconds=0.6)
    assert (answer.code, answer.reason) == (DEADLINE, "DEADLINE_EXCEEDED")
    assert 0.05 < work.cancelled - started < 0.6


@control("S72")
@pytest.mark.parametrize(("constant", "seconds"), [("DEFAULT_SECONDS", None), ("LONGEST_SECONDS", 5)])
async def test_call_without_deadline_or_with_a_long_one_is_capped(
    house: House, constant: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, constant, 0.15)
    house.probe.act = Work()
    started = time.monotonic()
    answer = await house.call("unary", house.bearer(), seconds=seconds)
    assert (answer.code, answer.reason) == (DEADLINE, "DEADLINE_EXCEEDED")
    assert 0.1 < time.monotonic() - started < within(0.5)


@control("S72")
def test_the_times_are_those_of_the_contract() -> None:
    assert (deadline.DEFAULT_SECONDS, deadline.LONGEST_SECONDS) == (10, 30)
    assert (deadline.LEAST_SECONDS, deadline.REPLY_SECONDS) == (0.05, 0.02)


async def test_a_timeout_of_the_handlers_own_is_no_deadline(house: House) -> None:
    async def act() -> None:
        raise TimeoutError("its own")

    house.probe.act = act
    assert (await house.call("unary", house.bearer(), seconds=5)).reason == "INTERNAL"


async def test_a_stream_outlives_the_default(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "DEFAULT_SECONDS", 0.1)

    async def act() -> None:
        await asyncio.sleep(0.08)

    house.probe.act = act
    answer = await house.call("stream", house.bearer())
    assert (answer.code, len(answer.bodies)) == (grpc.StatusCode.OK, 3)


@FACES
async def test_the_callers_own_deadline_ends_the_handler(house: House, face: str) -> None:
    work = house.probe.act = Work()
    assert (await house.call(face, house.bearer(), seconds=0.2)).code is DEADLINE
    await asyncio.sleep(0.1)
    assert 0 < work.cancelled - work.began < within(0.35)
