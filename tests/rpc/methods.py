"""The methods as the protos describe them, and their messages as REST writes them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from typing import cast as cast_to
from urllib.parse import quote

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from medconnect.auth.v1 import auth_service_pb2, organisation_service_pb2, second_factor_service_pb2
from medconnect.clinical.v1 import (
    clinical_service_pb2,
    patient_email_service_pb2,
    patient_identity_service_pb2,
    suspension_service_pb2,
)
from medconnect.events.v1 import events_service_pb2
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2

_MODULES: Final = (
    auth_service_pb2,
    second_factor_service_pb2,
    organisation_service_pb2,
    clinical_service_pb2,
    patient_email_service_pb2,
    patient_identity_service_pb2,
    suspension_service_pb2,
    pharmacy_service_pb2,
    events_service_pb2,
)


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method as the protos describe it."""

    descriptor: MethodDescriptor
    verb: str
    path: str
    """The path below /api/v1, with `{field_name}` for a field."""

    @property
    def name(self) -> str:
        """The method's name, such as `ScanQrCode`."""
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
    for module in _MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                yield Rpc(method, verb.upper(), getattr(rule, verb).removeprefix("/api/v1"))


RPCS: Final[Mapping[str, Rpc]] = {rpc.name: rpc for rpc in _rpcs()}
WRITES: Final = tuple(rpc for rpc in RPCS.values() if rpc.verb != "GET")
"""The methods that write."""


def access_of(rpc: Rpc) -> access_pb2.Access:
    """Returns the access option of a method in the protos."""
    option: access_pb2.Access = rpc.descriptor.GetOptions().Extensions[access_pb2.access]
    return option


def rest_request(rpc: Rpc, body: Mapping[str, Any]) -> tuple[str, bytes]:
    """Returns path and content of a REST call. JSON is written in ASCII, so that lone surrogates are escaped."""
    names = rpc.descriptor.input_type.fields_by_name
    path = re.sub(r"{(\w+)}", lambda found: quote(str(body[names[found[1]].json_name]), safe=""), rpc.path)
    rest = {name: value for name, value in body.items() if name not in rpc.in_path}
    return path, json.dumps(rest).encode()


def json_of(message: Message) -> dict[str, Any]:
    """Returns a message as REST writes it: JSON names, enums as words."""
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
        elif described.message_type is not None and not _is_bare(described.message_type):
            for inner in value if described.is_repeated else [value]:
                _shorten(inner, described.message_type)


def _is_bare(described: Descriptor) -> bool:
    """Returns whether JSON keeps the message's fields as they are: the well-known types, and maps of texts."""
    return described.full_name.startswith("google.") or bool(described.GetOptions().map_entry)


def _each(value: Any, change: Any) -> Any:
    return [change(one) for one in value] if isinstance(value, list) else change(value)


def word(name: str, described: FieldDescriptor) -> str:
    """Returns `PRESCRIPTION_STATUS_SCANNED` as REST writes it: `scanned`."""
    assert described.enum_type is not None
    prefix = described.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix).lower()
