"""Tests how errors are encoded in the gRPC status."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from medconnect.errors.v1 import error_reason_pb2

from server.api import status
from server.api.status import CODES, UnpublishedError, check_published, to_status
from server.errors import (
    DeclaredError,
    FieldViolation,
    NotFound,
    PrescriptionExpired,
    RequestInProgress,
    ServerBusy,
    Unauthenticated,
    ValidationFailed,
)
from server.errors.reasons import Code, Reason


def details(error: DeclaredError) -> dict[str, Message]:
    unpacked: dict[str, Message] = {}
    for detail in to_status(error, "r-1").details:
        name = detail.TypeName().rpartition(".")[2]
        unpacked[name] = getattr(error_details_pb2, name)()
        detail.Unpack(unpacked[name])
    return unpacked


def declared(error: type[DeclaredError] = DeclaredError) -> Iterator[type[DeclaredError]]:
    for narrower in error.__subclasses__():
        if "reason" in vars(narrower):
            yield narrower
        yield from declared(narrower)


def test_every_code_is_the_one_of_grpc() -> None:
    assert {code.name: CODES[code.value] for code in Code} == {code.name: grpc.StatusCode[code.name] for code in Code}


def test_an_error_says_its_code_message_reason_and_request() -> None:
    sent = to_status(Unauthenticated(), "r-1")
    assert (sent.code, sent.message) == (16, "Sign in first.")
    found = details(Unauthenticated())
    assert found == {
        "ErrorInfo": error_details_pb2.ErrorInfo(reason="UNAUTHENTICATED", domain="medconnect"),
        "RequestInfo": error_details_pb2.RequestInfo(request_id="r-1"),
    }


def test_a_message_of_its_own_takes_the_place_of_the_usual_one() -> None:
    assert to_status(Unauthenticated("Who are you?"), "r-1").message == "Who are you?"


def test_metadata_has_json_names_and_utc_times_in_milliseconds() -> None:
    moment = datetime(2026, 12, 1, 11, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    found = details(PrescriptionExpired(state="expired", changed_at=moment))["ErrorInfo"]
    assert isinstance(found, error_details_pb2.ErrorInfo)
    assert dict(found.metadata) == {"state": "expired", "changedAt": "2026-12-01T10:30:00.123Z"}
    assert datetime.fromisoformat(found.metadata["changedAt"]) < moment.astimezone(UTC)


def test_a_state_is_a_failed_precondition_and_nothing_else_is() -> None:
    assert "PreconditionFailure" in details(PrescriptionExpired(state="expired"))
    assert "PreconditionFailure" not in details(NotFound("prescription"))


def test_violations_become_bad_request_fields_as_far_as_they_fit() -> None:
    one = details(ValidationFailed.of("items[0].quantity", "must be at least 1"))["BadRequest"]
    assert isinstance(one, error_details_pb2.BadRequest)
    assert [(v.field, v.description) for v in one.field_violations] == [("items[0].quantity", "must be at least 1")]
    many = ValidationFailed(violations=[FieldViolation("x" * 60, "y" * 60) for _ in range(1000)])
    assert len(to_status(many, "r-1").SerializeToString()) < 6000


@pytest.mark.parametrize(("error", "seconds"), [(RequestInProgress(), 1), (ServerBusy(), 1)])
def test_transient_error_has_retry_delay_in_whole_seconds(error: DeclaredError, seconds: int) -> None:
    found = details(error)["RetryInfo"]
    assert isinstance(found, error_details_pb2.RetryInfo)
    assert (found.retry_delay.seconds, found.retry_delay.nanos) == (seconds, 0)


def test_the_declared_errors_are_the_published_ones() -> None:
    check_published()


def test_every_reason_is_declared_by_one_error() -> None:
    reasons = [error.reason for error in declared()]
    assert sorted(reasons) == sorted(Reason)


def test_an_error_that_is_not_published_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    # No real subclass: it would exist until garbage collection, and stop every later start.
    stray = type("Stray", (), {"reason": SimpleNamespace(value="STRAY"), "code": Code.ABORTED})
    subclasses = DeclaredError.__subclasses__()
    monkeypatch.setattr(status, "DeclaredError", type("Root", (), {"__subclasses__": lambda: [*subclasses, stray]}))
    with pytest.raises(UnpublishedError, match="STRAY"):
        check_published()


def test_a_published_reason_without_an_error_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(NotFound, "reason")
    with pytest.raises(UnpublishedError, match="RESOURCE_NOT_FOUND"):
        check_published()


def test_error_with_a_code_other_than_published_stops_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotFound, "code", Code.INTERNAL)
    with pytest.raises(UnpublishedError, match="RESOURCE_NOT_FOUND is published with NOT_FOUND"):
        check_published()


def test_published_reasons_have_distinct_numbers() -> None:
    numbers = [value.number for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values]
    assert len(set(numbers)) == len(numbers)
