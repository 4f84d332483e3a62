"""One call on either face, and its answer in the same words: REST's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import httpx
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.fixtures.cast import Actor, Cast
from tests.rpc.methods import Rpc, json_of, rest_request

HTTP_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""The product contract's status map; a code that is not in it is a fault of the server: 500."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller is told."""

    status: int
    """HTTP's."""
    reason: str = ""
    """Empty for a success."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What an error tells beside its reason, `state` for one."""
    fields: tuple[str, ...] = ()
    """The fields that are complained of."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The response of a success, with JSON names and enum words."""

    @property
    def ok(self) -> bool:
        """Whether the call did what it was asked."""
        return not self.reason


def callable_of(cast: Cast, rpc: Rpc) -> Any:
    """The gRPC method, to call or to start with `future`."""
    return cast.channel.unary_unary(
        f"/{rpc.descriptor.containing_service.full_name}/{rpc.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(rpc.descriptor.output_type).FromString,
    )


def over_grpc(cast: Cast, rpc: Rpc, request: Message, actor: Actor | None) -> Told:
    """Call gRPC."""
    try:
        response = callable_of(cast, rpc)(request, metadata=actor.metadata if actor else (), timeout=10)
    except grpc.RpcError as error:
        return refusal(error)
    return Told(200, data=json_of(response))


def over_rest(cast: Cast, rpc: Rpc, request: Message, actor: Actor | None) -> Told:
    """Call REST with the same request."""
    return send_json(cast, rpc, json_of(request), actor)


def send_json(cast: Cast, rpc: Rpc, body: Mapping[str, Any], actor: Actor | None) -> Told:
    """Call REST with a body of any kind; the fields that stand in the path are taken out of it."""
    path, content = rest_request(rpc, body)
    headers = {**(actor.headers if actor else {}), "content-type": "application/json"}
    return rest_answer(cast.http.request(rpc.verb, path, headers=headers, content=content))


def rest_answer(response: httpx.Response) -> Told:
    """What a REST call was told; the envelope must be the contract's."""
    answer = response.json()
    if answer["success"]:
        assert response.is_success
        return Told(response.status_code, data=answer["data"])
    error = answer["error"]
    assert error["statusCode"] == response.status_code
    named = tuple(detail["field"] for detail in error["details"])
    return Told(response.status_code, error["type"], error, named)


def refusal(error: Any) -> Told:
    """What a failed gRPC call was told; a failure that carries no reason has its code's name for one."""
    info, named = error_details_pb2.ErrorInfo(reason=error.code().name), ()
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
            assert info.domain == "medconnect"
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            violations = error_details_pb2.BadRequest.FromString(detail.value).field_violations
            named = tuple(violation.field for violation in violations)
    return Told(HTTP_STATUS.get(error.code(), 500), info.reason, dict(info.metadata), named)
