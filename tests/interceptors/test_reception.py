"""Tests that the server waits for a request only within its limit, and not for callers without calls left."""

import time
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from server.api.interceptors import receive_request
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.interceptors.probe import FACES, PATHS, Answer, House, Metadata, answer, running_house

CODE = grpc.StatusCode


async def begun(house: House, face: str, metadata: Metadata, *, ended: bool = False) -> Answer:
    """Returns the outcome of a call whose request does not come; `ended`: the client closes its side."""
    through: Any = house.direct.stream_stream if face == "stream" else house.direct.stream_unary
    call = through(PATHS[face])(metadata=metadata, timeout=20)
    if ended:
        await call.done_writing()
    return answer(
        [], await call.code(), await call.details(), await call.initial_metadata(), await call.trailing_metadata()
    )


@control("S71")
@FACES
async def test_request_that_does_not_arrive_ends_at_the_limit(
    house: House, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive_request, "RECEIVE_SECONDS", 0.2)
    refused = await begun(house, face, house.bearer())
    assert (refused.code, refused.reason) == (CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert house.probe.requests == []
    assert (await house.call(face, house.bearer())).code is CODE.OK


@control("S71")
@FACES
async def test_caller_without_calls_left_is_not_waited_for(
    work: UnitOfWork, clock: SettableClock, tmp_path: Path, face: str
) -> None:
    async with running_house(work, clock, tmp_path, limit_factor=1, limits={"anonymous": 1}) as house:
        assert (await house.call(face)).code is CODE.UNAUTHENTICATED
        began = time.monotonic()
        refused = await begun(house, face, ())
        assert time.monotonic() - began < receive_request.RECEIVE_SECONDS / 2
        long = await house.call(face, (), bytes(200_000))
    assert (refused.code, refused.reason) == (CODE.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    assert (long.code, long.reason) == (CODE.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")


@FACES
async def test_a_call_without_any_request_is_malformed(
    house: House, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive_request, "GONE_SECONDS", 0.05)
    assert (await begun(house, face, house.bearer(), ended=True)).reason == "MALFORMED_BODY"
