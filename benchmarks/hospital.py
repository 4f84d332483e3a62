"""The data of the benchmarks: people, prescriptions, and the calls to measure."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final
from uuid import UUID

from medconnect.auth.v1 import auth_service_pb2
from medconnect.clinical.v1 import clinical_service_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2

from benchmarks.plan import Call, Metadata
from server.auth.entities import SignedIn
from server.clinical.entities import NewPrescription, NewPrescriptionItem, Prescription
from server.clinical.storage.patients import PatientRepository
from server.identity import Caller, Role
from server.runtime import example_hospital
from server.runtime.server import Core, Services

MOST_SCANS: Final = 500
"""Prescriptions per second of a round: more first scans than a Python process can serve."""
LOOKED_UP: Final = 64
"""Prescriptions that are looked up in turn, so that concurrent calls do not wait for each other's row locks."""

ITEMS: Final = (
    NewPrescriptionItem("Doxycycline", "100 mg", "twice a day", 20, "Take with water.", "oral", 10),
    NewPrescriptionItem("Paracetamol", "500 mg", "when needed", 30, "At most eight a day.", "oral", 10),
    NewPrescriptionItem("Xylometazoline spray", "0.1 %", "three times a day", 1, "", "nasal", 7),
)


_SCANNED = "Scanned for the first time"
_LOOKED_UP = "Looked up again and again"
_RESET: Final = "UPDATE prescriptions SET status = '{}' WHERE diagnosis = '{}' AND status <> '{}'"


async def furnish(core: Core, services: Services, seconds: float) -> tuple[Call, ...]:
    """Loads the example hospital, creates prescriptions for rounds of `seconds`, and returns the calls to measure."""
    people = {person.role: person for person in await example_hospital.load(services)}
    doctor, pharmacist, patient = [
        await services.sessions.login(people[role].email, people[role].password)
        for role in (Role.DOCTOR, Role.PHARMACIST, Role.PATIENT)
    ]
    async with core.work.read() as tx:
        patient_id = (await tx[PatientRepository].by_user(patient.user.id)).id
    writer = Caller(doctor.user.id, Role.DOCTOR, example_hospital.SESSION)

    async def write(diagnosis: str, count: int) -> list[Prescription]:
        new = NewPrescription(patient_id, None, diagnosis, "Review in ten days.", ITEMS)
        return [await services.prescriptions.create(writer, new) for _ in range(count)]

    scanned = await write(_SCANNED, max(LOOKED_UP, math.ceil(MOST_SCANS * seconds)))
    return (
        _current_user(_bearer(doctor)),
        _lookups(_bearer(pharmacist), await write(_LOOKED_UP, LOOKED_UP)),
        _scans(_bearer(pharmacist), [core.issuer.text(one.qr_code) for one in scanned]),
        _creation(_bearer(doctor), patient_id),
    )


def _bearer(account: SignedIn) -> Metadata:
    return (("authorization", f"Bearer {account.tokens.access_token}"),)


def _current_user(metadata: Metadata) -> Call:
    return Call(
        name="GetCurrentUser",
        path="/medconnect.auth.v1.AuthService/GetCurrentUser",
        request_type=auth_service_pb2.GetCurrentUserRequest,
        response_type=auth_service_pb2.GetCurrentUserResponse,
        metadata=metadata,
        requests=(b"",),
    )


def _lookups(metadata: Metadata, prescriptions: Sequence[Prescription]) -> Call:
    request = pharmacy_service_pb2.LookupPrescriptionsRequest
    return Call(
        name="LookupPrescriptions",
        path="/medconnect.pharmacy.v1.PharmacyService/LookupPrescriptions",
        request_type=request,
        response_type=pharmacy_service_pb2.LookupPrescriptionsResponse,
        metadata=metadata,
        requests=tuple(request(reference_number=one.number).SerializeToString() for one in prescriptions),
        reset=_RESET.format("scanned", _LOOKED_UP, "scanned"),
    )


def _scans(metadata: Metadata, texts: Sequence[str]) -> Call:
    request = pharmacy_service_pb2.ScanQrCodeRequest
    return Call(
        name="ScanQrCode",
        path="/medconnect.pharmacy.v1.PharmacyService/ScanQrCode",
        request_type=request,
        response_type=pharmacy_service_pb2.ScanQrCodeResponse,
        metadata=metadata,
        requests=tuple(request(qr_code=text).SerializeToString() for text in texts),
        once=True,
        reset=_RESET.format("pending", _SCANNED, "pending"),
    )


def _creation(metadata: Metadata, patient_id: UUID) -> Call:
    request = clinical_service_pb2.CreatePrescriptionRequest(
        patient_id=str(patient_id), diagnosis="Acute sinusitis", doctor_notes="Review in ten days."
    )
    for item in ITEMS:
        request.items.add(**asdict(item))
    return Call(
        name="CreatePrescription",
        path="/medconnect.clinical.v1.ClinicalService/CreatePrescription",
        request_type=clinical_service_pb2.CreatePrescriptionRequest,
        response_type=clinical_service_pb2.CreatePrescriptionResponse,
        metadata=metadata,
        requests=(request.SerializeToString(),),
    )
