"""Maps medical histories to messages: one for the patient, one for doctors."""

from uuid import UUID

from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import prescription_pb2

from server.api.clinical.mapping import fill_patient_prescription, fill_prescription, fill_visit
from server.api.wire import fill_page
from server.clinical.entities import HistoryEntry, Prescription
from server.clinical.services.histories import OwnHistory
from server.pagination import Page


def own_history_response(history: OwnHistory) -> pb.GetMedicalHistoryResponse:
    """Returns the response with a page of the caller's own history."""
    response = pb.GetMedicalHistoryResponse(existing_conditions=history.existing_conditions)
    for entry in history.entries.items:
        message = response.entries.add(date=entry.day.isoformat())
        if entry.visit is not None:
            fill_visit(message.visit, entry.visit)
        if entry.prescription is not None:
            fill_patient_prescription(message.prescription, entry.prescription)
    fill_page(response, history.entries)
    return response


def patient_history_response(page: Page[HistoryEntry], reader_id: UUID) -> pb.GetPatientHistoryResponse:
    """Returns the response with a page of a patient's history for the doctor with this account."""
    response = pb.GetPatientHistoryResponse()
    for entry in page.items:
        message = response.entries.add(date=entry.day.isoformat())
        if entry.visit is not None:
            fill_visit(message.visit, entry.visit)
        if entry.prescription is not None:
            _fill_prescription(message.prescription, entry.prescription, reader_id)
    fill_page(response, page)
    return response


def _fill_prescription(message: prescription_pb2.Prescription, prescription: Prescription, reader_id: UUID) -> None:
    """Sets the fields of a prescription; its notes are included only for the doctor who wrote them."""
    fill_prescription(message, prescription)
    if prescription.doctor_id != reader_id:
        message.doctor_notes = ""
