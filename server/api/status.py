"""Maps declared errors to gRPC statuses; no other module does."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from medconnect.errors.v1 import error_reason_pb2

from server.errors import DeclaredError, MetadataValue

DOMAIN: Final = "medconnect"
DETAILS_KEY: Final = "grpc-status-details-bin"
MOST_VIOLATIONS: Final = 32
"""The maximum of field violations in a status: gRPC clients accept 8 KiB of metadata, and a status is metadata."""

CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class UnpublishedError(Exception):
    """A declared error differs from what `error_reason.proto` publishes; the server must not start."""


def check_published() -> None:
    """Compares every declared error with `error_reason.proto`. Raises UnpublishedError naming the differences."""
    published = {
        value.name.removeprefix("ERROR_REASON_"): value.GetOptions().Extensions[error_reason_pb2.rule]
        for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values
        if value.number
    }
    declared = {error.reason.value: error for error in declared_errors()}
    if faults := sorted(published.keys() ^ declared.keys()):
        raise UnpublishedError(f"declared or published, but not both: {', '.join(faults)}")
    for reason, error in declared.items():
        if error.code.value != published[reason].code:
            raise UnpublishedError(f"{reason} is published with {code_pb2.Code.Name(published[reason].code)}")


def to_status(error: DeclaredError, request_id: str) -> status_pb2.Status:
    """Returns the rich status of an error: ErrorInfo and RequestInfo always, other details where they apply."""
    status = status_pb2.Status(code=error.code.value, message=error.text)
    status.details.extend(_pack_detail(detail) for detail in _details(error, request_id))
    return status


def declared_errors() -> Iterator[type[DeclaredError]]:
    """Yields every declared error that has a reason."""
    yield from _walk_declared(DeclaredError)


def _walk_declared(error: type[DeclaredError]) -> Iterator[type[DeclaredError]]:
    if "reason" in vars(error):
        yield error
    for narrower in error.__subclasses__():
        yield from _walk_declared(narrower)


def _details(error: DeclaredError, request_id: str) -> Iterator[Message]:
    metadata = {_json_name(key): _text(value) for key, value in error.metadata.items()}
    yield error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)
    yield error_details_pb2.RequestInfo(request_id=request_id)
    if error.violations:
        yield error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.message)
                for violation in error.violations[:MOST_VIOLATIONS]
            ]
        )
    if error.retry_after is not None:
        yield error_details_pb2.RetryInfo(retry_delay=Duration(seconds=math.ceil(error.retry_after)))
    if "state" in metadata:
        violation = error_details_pb2.PreconditionFailure.Violation(
            type="STATE", subject="prescription", description=metadata["state"]
        )
        yield error_details_pb2.PreconditionFailure(violations=[violation])


def _pack_detail(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def _text(value: MetadataValue) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _json_name(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.capitalize() for part in rest)
