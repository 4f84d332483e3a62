"""What the contracts say of each method: read from the descriptors, so that nothing is listed twice.

Each method has a request message of its own, declared beside its service; the message therefore names the method.
"""

import functools
from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from medconnect.options.v1 import access_pb2


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


@functools.cache
def method_of(request: Descriptor) -> Method:
    """The method that takes this request message. Raises LookupError if there is none."""
    for service in request.file.services_by_name.values():
        for method in service.methods:
            if method.input_type is request:
                return _read(method)
    raise LookupError(f"{request.full_name} is no request of a method")


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
