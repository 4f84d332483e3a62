"""Every RPC of the contracts, and a way to call it over gRPC and over REST with one request."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import grpc
import httpx
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from medconnect.options.v1 import access_pb2
from tests.fixtures.cast import Actor, Cast

DESCRIPTORS: Final = Path(__file__).parents[2] / "generated" / "descriptors.binpb"
SECONDS: Final = 20.0
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method as the contracts describe it."""

    descriptor: MethodDescriptor

    @property
    def name(self) -> str:
        return str(self.descriptor.name)

    @property
    def path(self) -> str:
        """As gRPC names it."""
        return f"/{self.descriptor.containing_service.full_name}/{self.name}"

    @property
    def request_type(self) -> type[Message]:
        return GetMessageClass(self.descriptor.input_type)

    @property
    def response_type(self) -> type[Message]:
        return GetMessageClass(self.descriptor.output_type)

    @property
    def access(self) -> access_pb2.Access:
        option: access_pb2.Access = self.descriptor.GetOptions().Extensions[access_pb2.access]
        return option

    @property
    def route(self) -> tuple[str, str]:
        """Verb and path of REST, below /api/v1."""
        rule = self.descriptor.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        return verb.upper(), getattr(rule, verb).removeprefix("/api/v1")

    @property
    def writes(self) -> bool:
        return self.route[0] != "GET"


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


def _read_rpcs() -> Iterator[Rpc]:
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    pool = descriptor_pool.Default()
    for file in files:
        for service in file.service:
            yield from map(Rpc, pool.FindServiceByName(f"{file.package}.{service.name}").methods)


RPCS: Final[Mapping[str, Rpc]] = {rpc.name: rpc for rpc in _read_rpcs()}
"""By name; no two services share one."""


def over_grpc(cast: Cast, rpc: Rpc, request: Message | bytes, actor: Actor | None, **headers: str) -> Answer:
    """Call natively; underscores in header names stand for hyphens."""
    body = request if isinstance(request, bytes) else request.SerializeToString()
    metadata = (*(actor.metadata if actor else ()), *((name.replace("_", "-"), text) for name, text in headers.items()))
    try:
        if rpc.descriptor.server_streaming:
            return _first_of_stream(cast, rpc, body, metadata)
        raw, call = cast.channel.unary_unary(rpc.path).with_call(body, timeout=SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        return _refusal(error)
    message = rpc.response_type.FromString(raw)
    return Answer(grpc.StatusCode.OK, "", _json(message), raw, dict(call.trailing_metadata()))


def _first_of_stream(cast: Cast, rpc: Rpc, body: bytes, metadata: Any) -> Answer:
    call = cast.channel.unary_stream(rpc.path)(body, timeout=SECONDS, metadata=metadata)
    raw = next(call)
    call.cancel()
    return Answer(grpc.StatusCode.OK, "", _json(rpc.response_type.FromString(raw)), raw)


def _refusal(error: Any) -> Answer:
    trailing = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailing.get("grpc-status-details-bin", b""))
    told = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(told)
    others = [detail for detail in status.details if not detail.Is(error_details_pb2.RequestInfo.DESCRIPTOR)]
    body = {"message": error.details(), "details": [(detail.type_url, detail.value) for detail in others]}
    return Answer(error.code(), told.reason, body, headers=trailing)


def over_rest(cast: Cast, rpc: Rpc, request: Message | None, actor: Actor | None, **headers: str) -> Answer:
    """Call through the edge; without a request the fields in the path get a UUID that names nothing."""
    verb, path = rpc.route
    fields = json_format.MessageToDict(request) if request is not None else {}
    path = re.sub(r"\{(\w+)\}", lambda name: quote(fields.pop(_json_name(name[1]), NOBODY)), path)
    sent = {**(actor.headers if actor else {}), **{name.replace("_", "-"): text for name, text in headers.items()}}
    content: dict[str, Any] = {"json": fields} if verb != "GET" else {"params": fields}
    if rpc.descriptor.server_streaming:
        return _first_event(cast, verb, path, sent)
    return _rest_answer(cast.http.request(verb, path, headers=sent, **content))


def _first_event(cast: Cast, verb: str, path: str, headers: Headers) -> Answer:
    with cast.http.stream(verb, path, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            response.read()
            return _rest_answer(response)
        assert response.headers["content-type"] == "text/event-stream"
        return Answer(response.status_code, raw=next(response.iter_bytes()))


def _rest_answer(response: httpx.Response) -> Answer:
    status, headers, raw = response.status_code, response.headers, response.content
    if response.headers["content-type"] == "image/png":
        return Answer(status, "", {}, raw, headers)
    answer = response.json()
    if answer["success"]:
        return Answer(status, "", answer["data"], raw, headers)
    error = answer["error"]
    assert error.pop("requestId") == headers["x-request-id"]
    return Answer(status, error["type"], error, raw, headers)


Call = Callable[..., Answer]
FACES: Final[Mapping[str, Call]] = {"grpc": over_grpc, "rest": over_rest}
NOBODY: Final = "0193d1c0-0000-7000-8000-000000000000"
"""A UUID that no row has."""


def ok_status(face: str, rpc: Rpc) -> grpc.StatusCode | int:
    """What success looks like."""
    return grpc.StatusCode.OK if face == "grpc" else rpc.access.http_status or 200


def _json(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def _json_name(field_name: str) -> str:
    first, *rest = field_name.split("_")
    return first + "".join(part.capitalize() for part in rest)
