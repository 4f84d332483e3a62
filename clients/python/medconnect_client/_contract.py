"""Properties of each method, read from the descriptors, so that nothing is listed twice.

Each method has its own request message; the message therefore identifies the method.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
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
class Method:
    """The properties of a method that decide how it is called."""

    path: str
    """The gRPC path: `/medconnect.pharmacy.v1.PharmacyService/ScanQrCode`."""
    name: str
    """The method's name: `ScanQrCode`."""
    public: bool
    """True if it needs no access token."""
    reads: bool
    """True if it changes nothing and is therefore safe to repeat."""
    keyed: bool
    """True if it takes an idempotency key and is safe to repeat with it."""


def method_of(request: str) -> Method:
    """Returns the method whose request message has this full name. Raises LookupError if there is none."""
    return _methods()[request]


@functools.cache
def _methods() -> Mapping[str, Method]:
    """Returns all methods by the full names of their request messages."""
    services = (service for module in _MODULES for service in module.DESCRIPTOR.services_by_name.values())
    return {method.input_type.full_name: _read(method) for service in services for method in service.methods}


def _read(method: MethodDescriptor) -> Method:
    options = method.GetOptions()
    access = options.Extensions[access_pb2.access]
    return Method(
        path=f"/{method.containing_service.full_name}/{method.name}",
        name=method.name,
        public=access.public,
        reads=bool(options.Extensions[annotations_pb2.http].get),
        keyed=access.idempotent,
    )
