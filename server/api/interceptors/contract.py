"""Reads the options of each method from the descriptors, once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from medconnect.options.v1 import access_pb2, audit_pb2

from server.audit.events import AuditEvent
from server.identity import Role

_CLINICAL: Final = ("/medconnect.clinical.", "/medconnect.pharmacy.")


class AccessUndeclared(Exception):
    """A method lacks its access or audit option; the server must not start."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method and its access option."""

    path: str
    """The path as gRPC names it: `/medconnect.pharmacy.v1.PharmacyService/ScanQrCode`."""
    request_type: type[Message] | None
    """The type of the request; None if the method does not exist."""
    streaming: bool
    public: bool
    roles: frozenset[Role]
    """The roles that may call the method, unless it is public."""
    for_roles: bool
    """True if the contract names these roles; false if every signed-in account may call."""
    verified: bool
    limit_group: str
    """The limit in addition to that of the caller's role, such as `scan`; empty for none."""
    idempotent: bool
    message: str
    """The success message of REST."""
    http_status: int
    audit: AuditEvent | None
    """The audit event of each success, and of each refusal of a known caller."""
    step_up: bool
    """True if a second factor must have been verified recently in the session."""
    subject_field: str
    """The request field that names the object of the call, such as `patient_id`; empty for none."""
    name: str = field(init=False)
    """The method's name without its service: `ScanQrCode`."""
    full_name: str = field(init=False)
    """Service and method: `medconnect.pharmacy.v1.PharmacyService/ScanQrCode`; unique for each method."""

    @property
    def is_clinical_write(self) -> bool:
        """True if a call may store clinical data: then a field that is not known is refused."""
        return self.idempotent and self.path.startswith(_CLINICAL)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.path.rpartition("/")[2])
        object.__setattr__(self, "full_name", self.path.removeprefix("/"))


def unknown_method(path: str) -> Method:
    """Returns a method that does not exist; only signed-in callers get to know that it does not."""
    return Method(path, None, False, False, frozenset(Role), False, False, "", False, "", 200, None, False, "")


def read_methods(services: Iterable[str]) -> Mapping[str, Method]:
    """Returns all methods of the services (full names), by path. Raises AccessUndeclared for an undeclared method."""
    pool = descriptor_pool.Default()
    found = (method for name in services for method in pool.FindServiceByName(name).methods)
    return {method.path: method for method in map(_read, found)}


def _read(descriptor: MethodDescriptor) -> Method:
    option = descriptor.GetOptions().Extensions[access_pb2.access]
    if [option.public, option.signed_in, bool(option.roles)].count(True) != 1:
        raise AccessUndeclared(f"{descriptor.full_name} must say one of `public`, `signed_in` and `roles`")
    if bool(option.audit) == bool(option.unaudited):
        raise AccessUndeclared(f"{descriptor.full_name} must say one of `audit` and `unaudited`")
    group = access_pb2.LimitGroup.Name(option.limit_group).removeprefix("LIMIT_GROUP_").lower()
    return Method(
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        request_type=GetMessageClass(descriptor.input_type),
        streaming=descriptor.server_streaming,
        public=option.public,
        roles=frozenset(_role(number) for number in option.roles) or frozenset(Role),
        for_roles=bool(option.roles),
        verified=option.verified,
        limit_group="" if option.limit_group == access_pb2.LIMIT_GROUP_UNSPECIFIED else group,
        idempotent=option.idempotent,
        message=option.message,
        http_status=option.http_status or 200,
        audit=_event(option.audit) if option.audit else None,
        step_up=option.step_up,
        subject_field=_subject_field(descriptor.input_type),
    )


def _event(number: int) -> AuditEvent:
    return AuditEvent[audit_pb2.AuditEvent.Name(audit_pb2.AuditEvent.ValueType(number)).removeprefix("AUDIT_EVENT_")]


def _subject_field(request: Descriptor) -> str:
    """Returns the name of the first field that holds an id."""
    texts = (field for field in request.fields if field.type == field.TYPE_STRING and not field.is_repeated)
    return next((field.name for field in texts if field.name.endswith("_id")), "")


def _role(number: int) -> Role:
    return Role[access_pb2.Role.Name(access_pb2.Role.ValueType(number)).removeprefix("ROLE_")]
