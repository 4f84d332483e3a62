"""Tests the declared errors: their form for callers and in logs."""

import re
from collections.abc import Iterator

from medconnect.errors.v1 import error_reason_pb2

from server.errors import (
    DatabaseUnavailable,
    DeclaredError,
    EmailTaken,
    NotFound,
    PageTokenInvalid,
    RateLimitExceeded,
    ReferenceNumberInvalid,
    ValidationFailed,
)
from tests.fixtures.cells import cells


def declared(error: type[DeclaredError] = DeclaredError) -> Iterator[type[DeclaredError]]:
    for narrower in error.__subclasses__():
        if "reason" in vars(narrower):
            yield narrower
        yield from declared(narrower)


@cells("error", list(declared()))
def test_every_error_has_a_code_and_something_to_say(error: type[DeclaredError]) -> None:
    assert error.code
    if error not in (NotFound,):  # It names the kind of thing that was not found.
        assert re.fullmatch(r"[A-Z].+\.", error.message)


def test_text_is_the_message_or_a_more_precise_one() -> None:
    assert str(EmailTaken()) == EmailTaken().text == "An account with this email address exists already."
    assert str(EmailTaken("Choose another.")) == "Choose another."


def test_a_missing_thing_is_named_as_its_kind_only() -> None:
    error = NotFound("prescription")
    assert (error.text, error.metadata) == ("There is no such prescription.", {"resource": "prescription"})


def test_field_errors_name_their_field_in_json() -> None:
    assert [v.field for v in ValidationFailed.of("items[0].unitPrice", "x").violations] == ["items[0].unitPrice"]
    assert [v.field for v in ReferenceNumberInvalid().violations] == ["referenceNumber"]
    assert [v.field for v in PageTokenInvalid().violations] == ["pageToken"]


def test_transient_errors_have_a_retry_delay() -> None:
    assert DatabaseUnavailable().retry_after == 1
    assert RateLimitExceeded(retry_after=7.5, limit="login").retry_after == 7.5
    assert EmailTaken().retry_after is None


def test_the_metadata_of_a_reason_is_published_with_json_names() -> None:
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values:
        for key in value.GetOptions().Extensions[error_reason_pb2.rule].metadata:
            assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", key)
