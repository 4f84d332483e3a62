"""The only module that maps gRPC statuses to exceptions."""

import functools
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from medconnect.errors.v1 import error_reason_pb2

from medconnect_client import errors
from medconnect_client.errors import Failure, FieldViolation, MedConnectError

DETAILS_KEY: Final = "grpc-status-details-bin"
DOMAIN: Final = "medconnect"

D = TypeVar("D", bound=Message)

BY_STATUS: Final[Mapping[grpc.StatusCode, type[MedConnectError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidArgument,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.ABORTED: errors.Aborted,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}
"""Exception of each status; any other status is an InternalError."""

BROKEN: Final = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
"""Statuses that a broken connection also causes: without a reason of the service they mean Unavailable."""


def to_error(failed: grpc.aio.AioRpcError) -> MedConnectError:
    """Returns the exception of a failed call: by its reason, or else by its status."""
    status = _details(failed)
    info = _first(status, error_details_pb2.ErrorInfo)
    if info is None or info.domain != DOMAIN:
        code = grpc.StatusCode.UNAVAILABLE if failed.code() in BROKEN else failed.code()
        return _class_of(code)(Failure(failed.details() or code.name))
    request = _first(status, error_details_pb2.RequestInfo)
    retry = _first(status, error_details_pb2.RetryInfo)
    bad = _first(status, error_details_pb2.BadRequest)
    failure = Failure(
        message=failed.details() or info.reason,
        reason=info.reason,
        metadata=dict(info.metadata),
        request_id=request.request_id if request else "",
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
        violations=tuple(FieldViolation(v.field, v.description) for v in bad.field_violations) if bad else (),
    )
    return by_reason().get(info.reason, _class_of(failed.code()))(failure)


@functools.cache
def by_reason() -> Mapping[str, type[MedConnectError]]:
    """Returns the class of each published reason that has one: `QR_CODE_EXPIRED` is `QrCodeExpired`."""
    names = (value.name.removeprefix("ERROR_REASON_") for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values)
    classes = {name: getattr(errors, name.title().replace("_", ""), None) for name in names}
    return {name: found for name, found in classes.items() if found is not None}


def _class_of(code: grpc.StatusCode) -> type[MedConnectError]:
    return BY_STATUS.get(code, errors.InternalError)


def _details(failed: grpc.aio.AioRpcError) -> status_pb2.Status:
    """Returns the rich status of a call; an empty one if there is none or it cannot be parsed."""
    for key, value in failed.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def _first(status: status_pb2.Status, kind: type[D]) -> D | None:
    return next(_unpack_details(status, kind), None)


def _unpack_details(status: status_pb2.Status, kind: type[D]) -> Iterator[D]:
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            yield message
