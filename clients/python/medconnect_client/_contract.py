"""What the contracts say of each method: read from the descriptors, so that nothing is listed twice.

Each method has a request message of its own; the message therefore names the method.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from medconnect.auth.v1 import auth_service_pb2
from medconnect.clinical.v1 import clinical_service_pb2
from medconnect.events.v1 import events_service_pb2
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2

_MODULES: Final = (auth_service_pb2, clinical_service_pb2, pharmacy_service_pb2, events_service_pb2)


@dataclass(frozen=True, slots=True)
class Method:
    """How a method may be called."""

    path: str
    """As gRPC names it: `/medconnect.pharmacy.v1.PharmacyService/ScanQrCode`."""
    name: str
    """The method alone: `ScanQrCode`."""
    public: bool
    """True: it needs no access token."""
    reads: bool
    """True: it changes nothing, so that it can be repeated as it is."""
    keyed: bool
    """True: it takes an idempotency key, and can be repeated with it."""


def method_of(request: str) -> Method:
    """The method that takes the request message of this full name. Raises LookupError if there is none."""
    return _methods()[request]


@functools.cache
def _methods() -> Mapping[str, Method]:
    """All there are, by the full names of their requests."""
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
