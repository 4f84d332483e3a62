"""One call on either face, and its answer in the same words: REST's."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from typing import cast as cast_to
from urllib.parse import quote

import grpc
import httpx
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from medconnect.auth.v1 import auth_service_pb2
from medconnect.clinical.v1 import clinical_service_pb2
from medconnect.events.v1 import events_service_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2

from tests.fixtures.cast import Actor, Cast

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
class Answer:
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


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method as the protos describe it."""

    descriptor: MethodDescriptor
    verb: str
    path: str
    """Below /api/v1, with `{field_name}` where a field stands."""

    @property
    def name(self) -> str:
        """Such as `ScanQrCode`."""
        return self.descriptor.name

    @property
    def request(self) -> type[Message]:
        """The request's class."""
        return GetMessageClass(self.descriptor.input_type)

    @property
    def in_path(self) -> frozenset[str]:
        """The JSON names of the fields that REST callers write into the path."""
        fields = self.descriptor.input_type.fields_by_name
        return frozenset(fields[name].json_name for name in re.findall(r"{(\w+)}", self.path))


def _rpcs() -> Iterator[Rpc]:
    for module in (auth_service_pb2, clinical_service_pb2, pharmacy_service_pb2, events_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                yield Rpc(method, verb.upper(), getattr(rule, verb).removeprefix("/api/v1"))


RPCS: Final[Mapping[str, Rpc]] = {rpc.name: rpc for rpc in _rpcs()}
WRITES: Final = tuple(rpc for rpc in RPCS.values() if rpc.verb != "GET")
"""The methods that change something."""


def callable_of(cast: Cast, rpc: Rpc) -> Any:
    """The gRPC method, to call or to start with `future`."""
    return cast.channel.unary_unary(
        f"/{rpc.descriptor.containing_service.full_name}/{rpc.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(rpc.descriptor.output_type).FromString,
    )


def over_grpc(cast: Cast, rpc: Rpc, request: Message, actor: Actor | None) -> Answer:
    """Call gRPC."""
    try:
        response = callable_of(cast, rpc)(request, metadata=actor.metadata if actor else (), timeout=10)
    except grpc.RpcError as error:
        return refusal(error)
    return Answer(200, data=json_of(response))


def over_rest(cast: Cast, rpc: Rpc, request: Message, actor: Actor | None) -> Answer:
    """Call REST with the same request."""
    return send_json(cast, rpc, json_of(request), actor)


def send_json(cast: Cast, rpc: Rpc, body: Mapping[str, Any], actor: Actor | None) -> Answer:
    """Call REST with a body of any kind; the fields that stand in the path are taken out of it."""
    path, content = rest_request(rpc, body)
    headers = {**(actor.headers if actor else {}), "content-type": "application/json"}
    return rest_answer(cast.http.request(rpc.verb, path, headers=headers, content=content))


def rest_request(rpc: Rpc, body: Mapping[str, Any]) -> tuple[str, bytes]:
    """Path and content of a REST call. JSON is written in ASCII, so that lone surrogates go out as escapes."""
    names = rpc.descriptor.input_type.fields_by_name
    path = re.sub(r"{(\w+)}", lambda found: quote(str(body[names[found[1]].json_name]), safe=""), rpc.path)
    rest = {name: value for name, value in body.items() if name not in rpc.in_path}
    return path, json.dumps(rest).encode()


def rest_answer(response: httpx.Response) -> Answer:
    """What a REST call was told; the envelope must be the contract's."""
    answer = response.json()
    if answer["success"]:
        assert response.is_success
        return Answer(response.status_code, data=answer["data"])
    error = answer["error"]
    assert error["statusCode"] == response.status_code
    named = tuple(detail["field"] for detail in error["details"])
    return Answer(response.status_code, error["type"], error, named)


def refusal(error: Any) -> Answer:
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
    return Answer(HTTP_STATUS.get(error.code(), 500), info.reason, dict(info.metadata), named)


def json_of(message: Message) -> dict[str, Any]:
    """A message as REST writes it: JSON names, enums as words."""
    answer = MessageToDict(message, always_print_fields_with_no_presence=True)
    _shorten(answer, cast_to(Descriptor, message.DESCRIPTOR))
    return answer


def _shorten(values: dict[str, Any], descriptor: Descriptor) -> None:
    for described in descriptor.fields:
        value = values.get(described.json_name)
        if value is None:
            continue
        if described.enum_type is not None:
            values[described.json_name] = _each(value, lambda name, f=described: word(name, f))
        elif described.message_type is not None and not described.message_type.full_name.startswith("google."):
            for inner in value if described.is_repeated else [value]:
                _shorten(inner, described.message_type)


def _each(value: Any, change: Any) -> Any:
    return [change(one) for one in value] if isinstance(value, list) else change(value)


def word(name: str, described: FieldDescriptor) -> str:
    """`PRESCRIPTION_STATUS_SCANNED` as REST says it: `scanned`."""
    assert described.enum_type is not None
    prefix = described.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix).lower()
