"""A gRPC server that follows the contract between server and edge, and does nothing else.

The request chooses the answer of a method, so that each test states its subject. `Toy.seen` holds the metadata and
the request of the last call.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import user_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2, prescription_pb2
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import dispensing_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

REQUEST_ID = "0193a0b0-0000-7000-8000-00000000abcd"
LIMITS = (("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "49"), ("x-ratelimit-reset", "1800000000"))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass
class Failure:
    """The error of a failing call."""

    code: grpc.StatusCode
    reason: str
    message: str = "It failed."
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()


FAILURES = {
    "invalid": Failure(
        grpc.StatusCode.INVALID_ARGUMENT,
        "VALIDATION_FAILED",
        violations=(("items[0].quantity", "must be at least 1"), ("unitPrice", 'not "like" this')),
    ),
    "unauthenticated": Failure(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
    "otp": Failure(grpc.StatusCode.PERMISSION_DENIED, "OTP_REQUIRED", metadata={"requiresOtp": "true"}),
    "missing": Failure(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", metadata={"resource": "prescription"}),
    "taken": Failure(grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"),
    "conflict": Failure(grpc.StatusCode.ABORTED, "VERSION_CONFLICT", metadata={"version": "7"}),
    "dispensed": Failure(
        grpc.StatusCode.FAILED_PRECONDITION,
        "PRESCRIPTION_DISPENSED",
        message='"Überfällig" \\ 漢字 😀',
        metadata={"state": "PRESCRIPTION_STATUS_DISPENSED", "changedAt": "2026-12-01T10:30:00Z", "message": "not this"},
    ),
    "range": Failure(grpc.StatusCode.OUT_OF_RANGE, "VALIDATION_FAILED"),
    "limited": Failure(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", message="Too many requests, please try again later."
    ),
    "large": Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "BODY_TOO_LARGE"),
    "internal": Failure(grpc.StatusCode.INTERNAL, "INTERNAL"),
    "unimplemented": Failure(grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN"),
    "unavailable": Failure(grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
    "deadline": Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
}


def packed(message: Message) -> any_pb2.Any:
    """Returns a packed status detail."""
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


async def fail(context: Context, failure: Failure) -> None:
    """Aborts as the server does: no initial metadata, everything in the trailing metadata."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=failure.reason, domain="medconnect", metadata=failure.metadata),
        error_details_pb2.RequestInfo(request_id=REQUEST_ID),
    ]
    if failure.violations:
        pairs = [
            error_details_pb2.BadRequest.FieldViolation(field=at, description=why) for at, why in failure.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=pairs))
    trailing = [("x-request-id", REQUEST_ID), *LIMITS]
    if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        details.append(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=30)))
        trailing.append(("retry-after", "30"))
    status = status_pb2.Status(code=failure.code.value[0], message=failure.message, details=map(packed, details))
    rich = rpc_status.to_status(status)
    await context.abort(failure.code, failure.message, (*trailing, *rich.trailing_metadata))


@dataclass
class Seen:
    """The metadata and the request of the last call."""

    metadata: dict[str, str] = field(default_factory=dict)
    request: Message | None = None


class Services:
    """A few methods of every service."""

    def __init__(self, seen: Seen) -> None:
        """Stores every call in `seen`."""
        self.seen = seen

    async def arrive(self, request: Message, context: Context, message: str = "", code: int = 200) -> None:
        """Stores the call; sends REST callers the initial metadata that the server sends."""
        received = context.invocation_metadata() or ()
        self.seen.metadata = {key: value for key, value in received if isinstance(value, str)}
        self.seen.request = request
        if "x-envoy-original-path" not in self.seen.metadata:
            return
        initial = [("x-request-id", self.seen.metadata["x-request-id"]), *LIMITS]
        if message:
            initial.append(("x-message", quote(message)))
        if code != 200:
            initial.append(("x-http-code", str(code)))
        await context.send_initial_metadata(initial)

    async def ScanQrCode(self, request: pharmacy.ScanQrCodeRequest, context: Context) -> pharmacy.ScanQrCodeResponse:
        """Fails as the text chooses, or returns a prescription whose diagnosis is the text."""
        if request.qr_code in FAILURES:
            await fail(context, FAILURES[request.qr_code])
        if request.qr_code == "slow":
            await asyncio.sleep(0.5)
        await self.arrive(request, context, "Prescription scanned successfully")
        scanned = prescription_pb2.PRESCRIPTION_STATUS_SCANNED
        item = prescription_pb2.PrescriptionItem(id="i1", medicine_name="Amoxicillin", quantity=20)
        prescription = dispensing_pb2.PharmacyPrescription(diagnosis=request.qr_code, status=scanned, items=[item])
        return pharmacy.ScanQrCodeResponse(prescription=prescription, is_valid=True)

    async def ValidatePrescription(
        self, request: pharmacy.ValidatePrescriptionRequest, context: Context
    ) -> pharmacy.ValidatePrescriptionResponse:
        """Returns an answer without content."""
        await self.arrive(request, context, "Prescription validated successfully")
        return pharmacy.ValidatePrescriptionResponse()

    async def DispensePrescription(
        self, request: pharmacy.DispensePrescriptionRequest, context: Context
    ) -> pharmacy.DispensePrescriptionResponse:
        """Returns a total."""
        await self.arrive(request, context, "Prescription dispensed successfully")
        return pharmacy.DispensePrescriptionResponse(total_amount="25.00", currency="USD")

    async def CreateUser(self, request: auth.CreateUserRequest, context: Context) -> auth.CreateUserResponse:
        """Returns an account with the name and role of the request."""
        await self.arrive(request, context, 'Größe „100 %“ + "quoted"', code=201)
        user = user_pb2.User(full_name=request.full_name, role=request.role, status=user_pb2.USER_STATUS_ACTIVE)
        return auth.CreateUserResponse(user=user)

    async def ListUsers(self, request: auth.ListUsersRequest, context: Context) -> auth.ListUsersResponse:
        """Returns one account with the role and status of the filter, called like the search."""
        await self.arrive(request, context, "Users retrieved successfully")
        user = user_pb2.User(full_name=request.search, role=request.role, status=request.status)
        return auth.ListUsersResponse(users=[user], total_size=1)

    async def Logout(self, request: auth.LogoutRequest, context: Context) -> auth.LogoutResponse:
        """Returns an empty message."""
        await self.arrive(request, context, "Logout successful")
        return auth.LogoutResponse()

    async def GetCurrentUser(
        self, request: auth.GetCurrentUserRequest, context: Context
    ) -> auth.GetCurrentUserResponse:
        """Returns an account without a success message, as methods do that have none."""
        await self.arrive(request, context)
        return auth.GetCurrentUserResponse(user=user_pb2.User(role=access_pb2.ROLE_ADMIN))

    async def GetPatient(self, request: clinical.GetPatientRequest, context: Context) -> clinical.GetPatientResponse:
        """Returns a patient whose free texts look like enum names."""
        await self.arrive(request, context, "Patient retrieved successfully")
        patient = patient_pb2.Patient(
            id=request.patient_id,
            full_name="GENDER_FEMALE",
            address='"gender":"GENDER_MALE"',
            gender=patient_pb2.GENDER_OTHER,
            allergies=["GENDER_FEMALE", "ROLE_ADMIN"],
        )
        return clinical.GetPatientResponse(patient=patient)

    async def CreatePatient(
        self, request: clinical.CreatePatientRequest, context: Context
    ) -> clinical.CreatePatientResponse:
        """Returns the patient of the request."""
        await self.arrive(request, context, "Patient created successfully", code=201)
        patient = patient_pb2.Patient(full_name=request.full_name, gender=request.gender, allergies=request.allergies)
        return clinical.CreatePatientResponse(patient=patient)

    async def CreateMedicalVisit(
        self, request: clinical.CreateMedicalVisitRequest, context: Context
    ) -> clinical.CreateMedicalVisitResponse:
        """Returns an answer without content."""
        await self.arrive(request, context, "Medical visit created successfully", code=201)
        return clinical.CreateMedicalVisitResponse()

    async def ListMyPrescriptions(
        self, request: clinical.ListMyPrescriptionsRequest, context: Context
    ) -> clinical.ListMyPrescriptionsResponse:
        """Returns one prescription for each status of the filter; many if a large page is requested."""
        await self.arrive(request, context, "Prescriptions retrieved successfully")
        found = [prescription_pb2.PatientPrescription(status=status) for status in request.status]
        if request.page_size == 100:
            found = [prescription_pb2.PatientPrescription(diagnosis="x" * 20_000) for _ in range(100)]
        return clinical.ListMyPrescriptionsResponse(prescriptions=found, total_size=len(found))

    async def GetQrCodeImage(
        self, request: clinical.GetQrCodeImageRequest, context: Context
    ) -> clinical.GetQrCodeImageResponse:
        """Returns the picture."""
        await self.arrive(request, context, "QR code retrieved successfully")
        return clinical.GetQrCodeImageResponse(image=HttpBody(content_type="image/png", data=PNG))

    async def WatchEmailQueueStatus(
        self, request: events.WatchEmailQueueStatusRequest, context: Context
    ) -> AsyncIterator[events.WatchEmailQueueStatusResponse]:
        """Returns two states a moment apart; refuses a caller without a token before the first state."""
        metadata = dict(context.invocation_metadata() or ())
        if "authorization" not in metadata:
            await fail(context, FAILURES["unauthenticated"])
        await self.arrive(request, context)
        yield events.WatchEmailQueueStatusResponse(total_jobs=1, pending_jobs=1)
        await asyncio.sleep(0.1)
        yield events.WatchEmailQueueStatusResponse(total_jobs=1, completed_jobs=1, is_healthy=True)


def handlers(services: Services) -> list[grpc.GenericRpcHandler]:
    """Returns a handler for every method that `services` has; the others are UNIMPLEMENTED, without details."""
    found = []
    for file in (auth, clinical, events, pharmacy):
        for service in file.DESCRIPTOR.services_by_name.values():
            methods = {each.name: handler(each, services) for each in service.methods if hasattr(services, each.name)}
            found.append(grpc.method_handlers_generic_handler(service.full_name, methods))
    return found


def handler(method: MethodDescriptor, services: Services) -> "grpc.RpcMethodHandler[Any, Any]":
    """Returns the handler of one method."""
    make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
    request = message_factory.GetMessageClass(method.input_type)
    return make(getattr(services, method.name), request.FromString, lambda answer: answer.SerializeToString())


class Toy:
    """The server, on a Unix socket."""

    def __init__(self, socket: Path) -> None:
        """Prepares it; nothing listens before `start`."""
        self.seen = Seen()
        self.health = health.aio.HealthServicer()
        self.socket = socket
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Starts to listen, with healthy status."""
        self._server = grpc.aio.server(options=[("grpc.max_receive_message_length", 262144)])
        self._server.add_generic_rpc_handlers(handlers(Services(self.seen)))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()
        await self.set_serving(True)

    async def set_serving(self, serving: bool) -> None:
        """Sets the health that the edge checks."""
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self.health.set("", state)

    async def stop(self) -> None:
        """Stops the server at once."""
        if self._server:
            await self._server.stop(None)
