"""Calls over gRPC or REST, and their answers in the terms of each transport and in common terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import httpx
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.leak_detector import assert_reveals_nothing
from tests.rpc.methods import Rpc, access_of, json_of, rest_request

SECONDS: Final = 20.0
NOBODY: Final = "0193d1c0-0000-7000-8000-000000000000"
"""A UUID that no row has."""
Headers = Mapping[str, str]

HTTP_STATUS: Final = {
    grpc.StatusCode.OK: 200,
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
"""The domain page's status map; a code that is not in it is an error of the server: 500."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call: `status` is a gRPC status code or an HTTP status, by the transport that was called."""

    status: grpc.StatusCode | int
    reason: str = ""
    """The machine-readable reason of a refusal."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The response message as JSON; of a refusal its whole text, except for the request's id."""
    raw: bytes = b""
    headers: Headers = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The metadata of a refusal, such as `state`."""
    fields: tuple[str, ...] = ()
    """The fields that a refusal names."""

    @property
    def ok(self) -> bool:
        """True if the call succeeded."""
        return not self.reason

    @property
    def http(self) -> int:
        """The HTTP status, whichever transport was called."""
        return self.status if isinstance(self.status, int) else HTTP_STATUS.get(self.status, 500)


def ok_status(face: str, rpc: Rpc) -> grpc.StatusCode | int:
    """The status of success."""
    return grpc.StatusCode.OK if face == "grpc" else access_of(rpc).http_status or 200


def native(actors: Actors, rpc: Rpc) -> Any:
    """Returns the gRPC method, from bytes to bytes; a stream for a streaming one."""
    path = f"/{rpc.descriptor.containing_service.full_name}/{rpc.name}"
    return actors.channel.unary_stream(path) if rpc.descriptor.server_streaming else actors.channel.unary_unary(path)


def over_grpc(actors: Actors, rpc: Rpc, request: Message | bytes, actor: Actor | None, **headers: str) -> Answer:
    """Calls over gRPC; underscores in header names stand for hyphens."""
    body = request if isinstance(request, bytes) else request.SerializeToString()
    metadata = tuple(_headers(actor, headers).items())
    try:
        if rpc.descriptor.server_streaming:
            return _first_message(rpc, native(actors, rpc)(body, timeout=SECONDS, metadata=metadata))
        raw, call = native(actors, rpc).with_call(body, timeout=SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        return refusal(error)
    return success(rpc, raw, call)


def over_rest(actors: Actors, rpc: Rpc, request: Message, actor: Actor | None, **headers: str) -> Answer:
    """Calls through the edge; underscores in header names stand for hyphens."""
    return send(actors, rpc, _set_fields(request), _headers(actor, headers))


def send(actors: Actors, rpc: Rpc, fields: Mapping[str, Any], headers: Headers) -> Answer:
    """Calls through the edge with these fields, by JSON names, in path, query or body."""
    path, content = rest_request(rpc, fields)
    if rpc.verb == "GET":
        query = {name: value for name, value in fields.items() if name not in rpc.in_path}
        request = actors.http.build_request("GET", path, params=query, headers=headers)
    else:
        sent = {**headers, "content-type": "application/json"}
        request = actors.http.build_request(rpc.verb, path, content=content, headers=sent)
    response = actors.http.send(request, stream=True)
    try:
        return _first_event(response) if rpc.descriptor.server_streaming else rest_answer(response)
    finally:
        response.close()


Call = Callable[..., Answer]
FACES: Final[Mapping[str, Call]] = {"grpc": over_grpc, "rest": over_rest}


def _headers(actor: Actor | None, more: Headers) -> dict[str, str]:
    return {**(actor.headers if actor else {}), **{name.replace("_", "-"): text for name, text in more.items()}}


def _set_fields(request: Message) -> dict[str, Any]:
    names = {described.json_name for described, _ in request.ListFields()}
    return {name: value for name, value in json_of(request).items() if name in names}


def success(rpc: Rpc, raw: bytes, call: Any) -> Answer:
    """Returns the answer to a gRPC call that succeeded."""
    return Answer(grpc.StatusCode.OK, "", _body(rpc, raw), raw, dict(call.trailing_metadata()))


def refusal(error: Any) -> Answer:
    """Returns the answer to a failed gRPC call; without a reason in it, the name of its code is the reason."""
    trailing = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailing.pop("grpc-status-details-bin", b""))
    told, wrong = error_details_pb2.ErrorInfo(reason=error.code().name), error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Unpack(told):
            assert told.domain == "medconnect"
        detail.Unpack(wrong)
    others = [detail for detail in status.details if not detail.Is(error_details_pb2.RequestInfo.DESCRIPTOR)]
    body = {"message": error.details(), "details": [(detail.type_url, detail.value) for detail in others]}
    assert_reveals_nothing(f"{error.details()} {status} {trailing}")
    return Answer(
        error.code(),
        told.reason,
        body,
        headers=trailing,
        metadata=dict(told.metadata),
        fields=tuple(violation.field for violation in wrong.field_violations),
    )


def rest_answer(response: httpx.Response) -> Answer:
    """Returns the answer to a REST call; the envelope must be the contract's."""
    response.read()
    status, headers, raw = response.status_code, response.headers, response.content
    if headers["content-type"] == "image/png":
        return Answer(status, raw=raw, headers=headers)
    answer = response.json()
    if "success" not in answer:  # a method without a message has no envelope
        return Answer(status, "", answer, raw, headers)
    if answer["success"]:
        assert response.is_success
        return Answer(status, "", answer["data"], raw, headers)
    assert_reveals_nothing(response.text)
    error = answer["error"]
    assert error.pop("requestId") == headers["x-request-id"]
    assert error["statusCode"] == status
    more = {name: value for name, value in error.items() if name not in _EVERY_ERROR}
    named = tuple(detail["field"] for detail in error["details"])
    return Answer(status, error["type"], error, raw, headers, more, named)


_EVERY_ERROR: Final = frozenset({"message", "statusCode", "type", "details"})


def _body(rpc: Rpc, raw: bytes) -> dict[str, Any]:
    return json_of(GetMessageClass(rpc.descriptor.output_type).FromString(raw))


def _first_message(rpc: Rpc, call: Any) -> Answer:
    raw = next(call)
    call.cancel()
    return Answer(grpc.StatusCode.OK, "", _body(rpc, raw), raw)


def _first_event(response: httpx.Response) -> Answer:
    if response.status_code != httpx.codes.OK:
        return rest_answer(response)
    assert response.headers["content-type"] == "text/event-stream"
    return Answer(response.status_code, raw=next(response.iter_bytes()))
