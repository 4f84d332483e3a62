"""Maps medical histories to messages: one for the patient, one for doctors."""

from uuid import UUID

from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import prescription_pb2, record_version_pb2

from server.api.access_log.mapping import ROLE_NUMBERS
from server.api.clinical.mapping import fill_patient_prescription, fill_prescription, fill_visit
from server.api.clinical.patient_mapping import ALLERGY_NUMBERS, GENDER_NUMBERS
from server.api.wire import date_text, fill_page, timestamp
from server.clinical.entities import HistoryEntry, Prescription
from server.clinical.patient_entities import RecordVersion
from server.clinical.services.histories import OwnHistory
from server.pagination import Page
from server.partial_update import json_name


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


def record_versions_response(page: Page[RecordVersion]) -> pb.ListRecordVersionsResponse:
    """Returns the response with a page of the former versions of a record, for doctors."""
    response = pb.ListRecordVersionsResponse(versions=map(_version, page.items))
    fill_page(response, page)
    return response


def own_record_versions_response(page: Page[RecordVersion]) -> pb.ListMyRecordVersionsResponse:
    """Returns the response with a page of the former versions of the caller's own record."""
    response = pb.ListMyRecordVersionsResponse(versions=map(_version, page.items))
    fill_page(response, page)
    return response


def _version(former: RecordVersion) -> record_version_pb2.RecordVersion:
    return record_version_pb2.RecordVersion(
        id=str(former.id),
        version=former.version,
        replaced_at=timestamp(former.replaced_at),
        replaced_by_name=former.replaced_by_name,
        replaced_by_role=ROLE_NUMBERS[former.replaced_by_role] if former.replaced_by_role else None,
        changed_fields=map(json_name, former.changed_fields),
        date_of_birth=date_text(former.date_of_birth),
        gender=None if former.gender is None else GENDER_NUMBERS[former.gender],
        blood_type=former.blood_type,
        allergies=former.allergies,
        existing_conditions=former.existing_conditions,
        allergy_status=ALLERGY_NUMBERS[former.allergy_status],
    )


def _fill_prescription(message: prescription_pb2.Prescription, prescription: Prescription, reader_id: UUID) -> None:
    """Sets the fields of a prescription; its notes are included only for the doctor who wrote them."""
    fill_prescription(message, prescription)
    if prescription.doctor_id != reader_id:
        message.doctor_notes = ""
