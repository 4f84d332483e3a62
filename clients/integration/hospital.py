"""A hospital system with the generated stubs alone: it records a patient, creates a prescription and reads it back.

Run `python -m clients.integration.hospital 127.0.0.1:50051` against an instance that `make seed` has filled. Without
the client, the caller is responsible for three things: the token, a key for each write, and retries.
"""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2
from medconnect.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from medconnect.clinical.v1 import clinical_service_pb2, clinical_service_pb2_grpc, patient_pb2, prescription_pb2

R = TypeVar("R")

DEADLINE_SECONDS: Final = 5.0
PAUSES: Final = (0.1, 0.3, 1.0)
PASSING: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""Statuses of transient failures; a write is repeated only with its key."""


class HospitalSystem:
    """A doctor's session; it ends with its access token after 15 minutes, unless `RefreshToken` is called."""

    def __init__(self, channel: grpc.Channel, email: str, password: str) -> None:
        login = auth_service_pb2.LoginRequest(email=email, password=password)
        answer = auth_service_pb2_grpc.AuthServiceStub(channel).Login(login, timeout=DEADLINE_SECONDS)
        self._bearer = ("authorization", f"Bearer {answer.access_token}")
        self._clinical = clinical_service_pb2_grpc.ClinicalServiceStub(channel)

    def record(self, full_name: str, date_of_birth: str) -> patient_pb2.Patient:
        """Creates a record of a patient without an email address."""
        request = clinical_service_pb2.CreatePatientRequest(
            full_name=full_name, date_of_birth=date_of_birth, gender=patient_pb2.GENDER_OTHER
        )
        return self._write(self._clinical.CreatePatient, request).patient

    def prescribe(self, patient_id: str, diagnosis: str, medicine: str, units: int) -> prescription_pb2.Prescription:
        """Creates a prescription of one medicine."""
        item = clinical_service_pb2.NewPrescriptionItem(
            medicine_name=medicine, dosage="100 mg", frequency="twice a day", quantity=units
        )
        request = clinical_service_pb2.CreatePrescriptionRequest(
            patient_id=patient_id, diagnosis=diagnosis, items=[item]
        )
        return self._write(self._clinical.CreatePrescription, request).prescription

    def prescriptions(self, patient_id: str) -> Iterator[prescription_pb2.Prescription]:
        """Yields a patient's prescriptions, page by page."""
        request = clinical_service_pb2.ListPrescriptionsRequest(patient_id=patient_id)
        while True:
            page = self._clinical.ListPrescriptions(request, metadata=(self._bearer,), timeout=DEADLINE_SECONDS)
            yield from page.prescriptions
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _write(self, method: Callable[..., R], request: Any) -> R:  # noqa: ANN401 - any write's request
        """Calls with an idempotency key, and retries with the same key; the write is carried out once."""
        metadata = (self._bearer, ("idempotency-key", secrets.token_urlsafe(24)))
        for pause in PAUSES:
            try:
                return method(request, metadata=metadata, timeout=DEADLINE_SECONDS)
            except grpc.RpcError as error:
                if error.code() not in PASSING and reason_of(error) != "REQUEST_IN_PROGRESS":
                    raise
            time.sleep(pause)
        return method(request, metadata=metadata, timeout=DEADLINE_SECONDS)


def reason_of(error: grpc.RpcError) -> str:
    """Returns the service's reason, such as `VALIDATION_FAILED`; empty if the call did not reach the service."""
    trailing: Any = error.trailing_metadata() or ()
    details = dict(trailing).get("grpc-status-details-bin", b"")
    info = error_details_pb2.ErrorInfo()
    found = any(detail.Unpack(info) for detail in status_pb2.Status.FromString(details).details)
    return str(info.reason) if found else ""


def main(address: str) -> None:
    """Runs the example; it ends with a rejected call and prints its reason."""
    with grpc.insecure_channel(address) as channel:
        hospital = HospitalSystem(channel, "doctor@example.org", "example-only-7Qd2")
        patient = hospital.record("Ines Duarte", "1990-07-04")
        written = hospital.prescribe(patient.id, "Acute bronchitis", "Doxycycline", 20)
        print(f"{patient.full_name} ({patient.reference_number}) has {written.prescription_number}")
        for prescription in hospital.prescriptions(patient.id):
            print(prescription.prescription_number, prescription_pb2.PrescriptionStatus.Name(prescription.status))
        try:
            hospital.prescribe(patient.id, "Acute bronchitis", "Doxycycline", 0)
        except grpc.RpcError as error:
            print(f"refused: {reason_of(error)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")
