"""A call on either face, and all that is answered: for tests that compare answers to the byte."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import httpx
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from tests.fixtures.cast import Actor, Cast
from tests.rpc.methods import Rpc, access_of, json_of, rest_request

SECONDS: Final = 20.0
NOBODY: Final = "0193d1c0-0000-7000-8000-000000000000"
"""A UUID that no row has."""
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: `status` is a gRPC status code or an HTTP status, by the face that was called."""

    status: grpc.StatusCode | int
    reason: str = ""
    """The machine-readable reason of a refusal."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The response message as JSON; of a refusal everything that it says, but for the request's id."""
    raw: bytes = b""
    headers: Headers = field(default_factory=dict)


def ok_status(face: str, rpc: Rpc) -> grpc.StatusCode | int:
    """What success looks like."""
    return grpc.StatusCode.OK if face == "grpc" else access_of(rpc).http_status or 200


def native(cast: Cast, rpc: Rpc) -> Any:
    """The gRPC method, from bytes to bytes; a stream for a streaming one."""
    path = f"/{rpc.descriptor.containing_service.full_name}/{rpc.name}"
    return cast.channel.unary_stream(path) if rpc.descriptor.server_streaming else cast.channel.unary_unary(path)


def over_grpc(cast: Cast, rpc: Rpc, request: Message | bytes, actor: Actor | None, **headers: str) -> Answer:
    """Call natively; underscores in header names stand for hyphens."""
    body = request if isinstance(request, bytes) else request.SerializeToString()
    metadata = tuple(_headers(actor, headers).items())
    try:
        if rpc.descriptor.server_streaming:
            return _first_message(rpc, native(cast, rpc)(body, timeout=SECONDS, metadata=metadata))
        raw, call = native(cast, rpc).with_call(body, timeout=SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        return _refusal(error)
    return Answer(grpc.StatusCode.OK, "", _body(rpc, raw), raw, dict(call.trailing_metadata()))


def over_rest(cast: Cast, rpc: Rpc, request: Message, actor: Actor | None, **headers: str) -> Answer:
    """Call through the edge; underscores in header names stand for hyphens."""
    return send(cast, rpc, _set_fields(request), _headers(actor, headers))


def send(cast: Cast, rpc: Rpc, fields: Mapping[str, Any], headers: Headers) -> Answer:
    """Call through the edge with these fields, by JSON names, in path, query or body."""
    path, content = rest_request(rpc, fields)
    if rpc.verb == "GET":
        query = {name: value for name, value in fields.items() if name not in rpc.in_path}
        request = cast.http.build_request("GET", path, params=query, headers=headers)
    else:
        sent = {**headers, "content-type": "application/json"}
        request = cast.http.build_request(rpc.verb, path, content=content, headers=sent)
    response = cast.http.send(request, stream=True)
    try:
        return _first_event(response) if rpc.descriptor.server_streaming else _rest_answer(response)
    finally:
        response.close()


Call = Callable[..., Answer]
FACES: Final[Mapping[str, Call]] = {"grpc": over_grpc, "rest": over_rest}


def _headers(actor: Actor | None, more: Headers) -> dict[str, str]:
    return {**(actor.headers if actor else {}), **{name.replace("_", "-"): text for name, text in more.items()}}


def _set_fields(request: Message) -> dict[str, Any]:
    names = {described.json_name for described, _ in request.ListFields()}
    return {name: value for name, value in json_of(request).items() if name in names}


def _body(rpc: Rpc, raw: bytes) -> dict[str, Any]:
    return json_of(GetMessageClass(rpc.descriptor.output_type).FromString(raw))


def _first_message(rpc: Rpc, call: Any) -> Answer:
    raw = next(call)
    call.cancel()
    return Answer(grpc.StatusCode.OK, "", _body(rpc, raw), raw)


def _refusal(error: Any) -> Answer:
    trailing = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailing.pop("grpc-status-details-bin", b""))
    told = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(told)
    others = [detail for detail in status.details if not detail.Is(error_details_pb2.RequestInfo.DESCRIPTOR)]
    body = {"message": error.details(), "details": [(detail.type_url, detail.value) for detail in others]}
    return Answer(error.code(), told.reason, body, headers=trailing)


def _first_event(response: httpx.Response) -> Answer:
    if response.status_code != httpx.codes.OK:
        return _rest_answer(response)
    assert response.headers["content-type"] == "text/event-stream"
    return Answer(response.status_code, raw=next(response.iter_bytes()))


def _rest_answer(response: httpx.Response) -> Answer:
    response.read()
    status, headers, raw = response.status_code, response.headers, response.content
    if headers["content-type"] == "image/png":
        return Answer(status, raw=raw, headers=headers)
    answer = response.json()
    if "success" not in answer:  # a method without a message is answered bare
        return Answer(status, "", answer, raw, headers)
    if answer["success"]:
        return Answer(status, "", answer["data"], raw, headers)
    error = answer["error"]
    assert error.pop("requestId") == headers["x-request-id"]
    return Answer(status, error["type"], error, raw, headers)
