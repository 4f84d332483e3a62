"""Maps medical histories to messages: one for the patient, one for doctors."""

from dataclasses import replace
from uuid import UUID

from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import history_pb2, prescription_pb2

from server.api.clinical.mapping import patient_prescription_message, prescription_message, visit_message
from server.api.wire import fill_page
from server.clinical.entities import HistoryEntry, Prescription
from server.clinical.services.histories import OwnHistory
from server.pagination import Page


def own_history_response(history: OwnHistory) -> pb.GetMedicalHistoryResponse:
    """Returns the response with a page of the caller's own history."""
    entries = map(_own_entry, history.entries.items)
    response = pb.GetMedicalHistoryResponse(entries=entries, existing_conditions=history.existing_conditions)
    fill_page(response, history.entries)
    return response


def _own_entry(entry: HistoryEntry) -> history_pb2.HistoryEntry:
    day, visit, prescription = entry.day.isoformat(), entry.visit, entry.prescription
    return history_pb2.HistoryEntry(
        date=day,
        visit=None if visit is None else visit_message(visit),
        prescription=None if prescription is None else patient_prescription_message(prescription),
    )


def patient_history_response(page: Page[HistoryEntry], reader_id: UUID) -> pb.GetPatientHistoryResponse:
    """Returns the response with a page of a patient's history for the doctor with this account."""
    entries = (_entry(entry, reader_id) for entry in page.items)
    response = pb.GetPatientHistoryResponse(entries=entries)
    fill_page(response, page)
    return response


def _entry(entry: HistoryEntry, reader_id: UUID) -> history_pb2.PatientHistoryEntry:
    day, visit, prescription = entry.day.isoformat(), entry.visit, entry.prescription
    return history_pb2.PatientHistoryEntry(
        date=day,
        visit=None if visit is None else visit_message(visit),
        prescription=None if prescription is None else _prescription(prescription, reader_id),
    )


def _prescription(prescription: Prescription, reader_id: UUID) -> prescription_pb2.Prescription:
    """Returns the prescription; its notes are included only for the doctor who wrote them."""
    seen = prescription if prescription.doctor_id == reader_id else replace(prescription, doctor_notes="")
    return prescription_message(seen)
