"""Tests that every internal failure becomes one status with a reason and a request id, without internal details."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest

from server.api.interceptors import base
from server.errors import (
    DeclaredError,
    FieldViolation,
    PrescriptionDispensed,
    RequestInProgress,
    ValidationFailed,
    VersionConflict,
)
from tests.fixtures.leak_detector import assert_reveals_nothing
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.interceptors.probe import BODY, EDGE, FACES, MALFORMED, PATHS, House

DSN = "postgresql://medconnect:hunter2@db.internal:5432/medconnect"

Logged = Callable[[], list[dict[str, Any]]]


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        raise error

    return act


@FACES
async def test_declared_error_has_code_reason_request_id_and_details(house: House, face: str) -> None:
    changed = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)
    house.probe.act = raising(PrescriptionDispensed(state="dispensed", changed_at=changed))
    answer = await house.call(face, house.bearer())
    assert (answer.code, answer.message) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "The prescription has already been dispensed.",
    )
    info = answer.details["ErrorInfo"]
    assert (info.reason, info.domain) == ("PRESCRIPTION_DISPENSED", "medconnect")
    assert dict(info.metadata) == {"state": "dispensed", "changedAt": "2026-12-01T10:30:00.000Z"}
    [violation] = answer.details["PreconditionFailure"].violations
    assert (violation.type, violation.subject, violation.description) == ("STATE", "prescription", "dispensed")
    assert answer.details["RequestInfo"].request_id == answer.trailing["x-request-id"] != ""
    assert int(answer.trailing["x-ratelimit-remaining"]) >= 0


@FACES
async def test_an_error_that_passes_says_when_to_try_again(house: House, face: str) -> None:
    house.probe.act = raising(RequestInProgress())
    answer = await house.call(face, house.bearer())
    assert (answer.code, answer.reason) == (grpc.StatusCode.ABORTED, "REQUEST_IN_PROGRESS")
    assert answer.details["RetryInfo"].retry_delay.seconds == 1
    assert answer.trailing["retry-after"] == "1"


@FACES
async def test_bad_fields_are_named(house: House, face: str) -> None:
    house.probe.act = raising(ValidationFailed.of("items[0].quantity", "must be at least 1"))
    answer = await house.call(face, house.bearer())
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    [violation] = answer.details["BadRequest"].field_violations
    assert (violation.field, violation.description) == ("items[0].quantity", "must be at least 1")


async def test_a_thousand_bad_fields_still_fit_into_an_answer(house: House) -> None:
    many = [FieldViolation(f"items[{i}].prescription.something", "must be at least 1 " * 4) for i in range(1000)]
    house.probe.act = raising(ValidationFailed(violations=many))
    answer = await house.call("unary", house.bearer())
    assert answer.reason == "VALIDATION_FAILED"
    assert 10 < len(answer.details["BadRequest"].field_violations) < 100


@control("S62")
@FACES
@pytest.mark.parametrize("error", [ValueError(DSN), KeyError("SELECT 1"), RuntimeError("in /app/server/x.py")])
async def test_an_undeclared_error_is_hidden_and_logged(
    house: House, face: str, error: Exception, log_lines: Logged
) -> None:
    house.probe.act = raising(error)
    answer = await house.call(face, house.bearer())
    assert (answer.code, answer.message, answer.reason) == (grpc.StatusCode.INTERNAL, "Internal error.", "INTERNAL")
    assert_reveals_nothing(repr(answer))
    assert str(error) not in repr(answer)
    [logged] = [line for line in log_lines() if line["event"] == "call_failed"]
    assert logged["request_id"] == answer.details["RequestInfo"].request_id
    assert logged["exceptions"][0]["type"] == type(error).__name__
    assert DSN not in repr(logged)


@FACES
async def test_handler_raising_cancelled_error_does_not_hang_caller(house: House, face: str) -> None:
    house.probe.act = raising(asyncio.CancelledError())
    started = time.monotonic()
    answer = await house.call(face, house.bearer(), seconds=5)
    assert time.monotonic() - started < within(2)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_BUSY")


@FACES
async def test_disconnecting_caller_cancels_the_handler(house: House, face: str) -> None:
    reached, cancelled = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        reached.set()
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    house.probe.act = act
    call = asyncio.create_task(house.call(face, house.bearer()))
    await asyncio.wait_for(reached.wait(), within(2))
    call.cancel()
    await asyncio.wait_for(cancelled.wait(), within(0.5))


async def test_a_stream_whose_reader_stops_and_goes_away_is_closed(house: House, log_lines: Logged) -> None:
    house.probe.messages = 10_000_000
    channel: Any = house.direct
    call = channel.unary_stream(PATHS["stream"])(BODY, metadata=house.bearer())
    await anext(aiter(call))
    await asyncio.sleep(0.1)  # The window fills up, and the handler waits for the reader.
    call.cancel()
    async with asyncio.timeout(within(1)):
        while not (house.probe.closed_streams and log_lines()):
            await asyncio.sleep(0.01)
    [line] = log_lines()
    assert line["outcome"] == "CANCELLED"


async def test_message_to_disconnected_caller_waits_for_cancellation() -> None:
    class Gone:
        async def write(self, message: bytes) -> None:
            raise grpc.aio.InternalError

    call: Any = SimpleNamespace(context=Gone())
    writing = asyncio.create_task(base._write(call, b""))
    await asyncio.sleep(0.05)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


@FACES
async def test_a_body_that_is_no_message_is_malformed(house: House, face: str) -> None:
    answer = await house.call(face, house.bearer(), MALFORMED)
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_BODY")
    assert house.probe.requests == []


async def test_stream_failing_after_first_message_ends_with_reason(house: House) -> None:
    errors: list[DeclaredError] = []

    async def act() -> None:
        if len(errors) == 1:
            raise VersionConflict(version=3)
        errors.append(VersionConflict())

    house.probe.act = act
    answer = await house.call("stream", house.bearer())
    assert len(answer.bodies) == 1
    assert (answer.code, answer.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")


@FACES
async def test_a_refusal_sends_nothing_before_its_trailing_metadata(house: House, face: str) -> None:
    """Checks that no headers precede a rejection, because the edge can then set the status of the REST response."""
    house.probe.act = raising(VersionConflict(version=3))
    answer = await house.call(face, [*EDGE, *house.bearer()], channel=house.edge)
    assert not {"x-request-id", "x-message", "x-ratelimit-limit"} & answer.initial.keys()
    assert answer.trailing["x-request-id"]
