"""Maps messages of patient records and their entities to each other."""

from datetime import date
from typing import Any, Final

from google.protobuf.message import Message
from medconnect.clinical.v1 import (
    allergies_pb2,
    email_detachment_pb2,
    identification_pb2,
    patient_identity_pb2,
    patient_pb2,
)
from medconnect.clinical.v1 import clinical_service_pb2 as pb

from server.api.wire import date_text, enum_pair, fill_page, fill_timestamp, read_date, timestamp
from server.clinical.entities import Patient, PatientChange, PatientEmailStatus
from server.clinical.patient_entities import (
    AllergiesAsked,
    AllergyStatus,
    EmailDetachment,
    EmailDetachReason,
    Identification,
    IdentificationDocument,
    PatientAssurance,
)
from server.clinical.patient_summaries import PatientSummary
from server.identity import Caller
from server.pagination import Page
from server.patient_details import Gender

EMAIL_STATUS_NUMBERS, _ = enum_pair(patient_pb2.PatientEmailStatus, PatientEmailStatus, "PATIENT_EMAIL_STATUS")
DETACH_REASON_NUMBERS, DETACH_REASONS = enum_pair(
    email_detachment_pb2.EmailDetachReason, EmailDetachReason, "EMAIL_DETACH_REASON"
)
ASSURANCE_NUMBERS = enum_pair(identification_pb2.PatientAssurance, PatientAssurance, "PATIENT_ASSURANCE")[0]
DOCUMENT_NUMBERS, DOCUMENTS = enum_pair(
    identification_pb2.IdentificationDocument, IdentificationDocument, "IDENTIFICATION_DOCUMENT"
)
ALLERGY_NUMBERS = enum_pair(allergies_pb2.AllergyStatus, AllergyStatus, "ALLERGY_STATUS")[0]
GENDER_NUMBERS, GENDERS = enum_pair(patient_pb2.Gender, Gender, "GENDER")

_SCALARS: Final = (
    "phone",
    "blood_type",
    "address",
    "emergency_contact",
    "emergency_phone",
    "insurance_provider",
    "insurance_number",
)


def optional_text(message: Message, field: str) -> str | None:
    """Returns the text of an optional field; None if it was not given."""
    return getattr(message, field) if message.HasField(field) else None


def date_on_document(request: patient_identity_pb2.IdentifyPatientRequest) -> date | None:
    """Returns the date of birth on the document, if it was given. Raises ValidationFailed if there is no such day."""
    return read_date(request.date_of_birth, "dateOfBirth") if request.HasField("date_of_birth") else None


def patient_change(request: pb.UpdatePatientRequest | pb.UpdateProfileRequest) -> PatientChange:
    """Returns the changes that an update requests. Raises ValidationFailed for a date that does not exist."""
    given: dict[str, Any] = {name: optional_text(request, name) for name in _SCALARS}
    if request.HasField("date_of_birth"):
        given["date_of_birth"] = read_date(request.date_of_birth, "dateOfBirth")
    if request.HasField("gender"):
        given["gender"] = GENDERS[request.gender]
    if isinstance(request, pb.UpdateProfileRequest):
        given["full_emails"] = request.full_emails if request.HasField("full_emails") else None
    if isinstance(request, pb.UpdatePatientRequest):
        given["full_name"] = request.full_name if request.HasField("full_name") else None
        given["existing_conditions"] = tuple(request.existing_conditions) or None
    return PatientChange(
        **given,
        allergies=tuple(request.allergies) or None,
        no_known_allergies=request.no_known_allergies if request.HasField("no_known_allergies") else None,
        clear=frozenset(request.clear),
        version=request.version if request.HasField("version") else None,
    )


def patient_message(patient: Patient, reader: Caller) -> patient_pb2.Patient:
    """Returns the whole record, for doctors."""
    return patient_pb2.Patient(
        **_record(patient),
        existing_conditions=patient.existing_conditions,
        email_status=EMAIL_STATUS_NUMBERS[patient.email_status],
        email_confirmed_at=None if patient.email_confirmed_at is None else timestamp(patient.email_confirmed_at),
        email_detachment=None if patient.detachment is None else _detachment(patient.detachment, reader),
        identification_note="" if patient.identification is None else patient.identification.note,
    )


def _detachment(request: EmailDetachment, reader: Caller) -> email_detachment_pb2.EmailDetachment:
    return email_detachment_pb2.EmailDetachment(
        reason=DETACH_REASON_NUMBERS[request.reason],
        requested_by=request.requester_name,
        requested_by_caller=request.requested_by == reader.user_id,
        requested_at=timestamp(request.requested_at),
        expires_at=timestamp(request.expires_at),
    )


def _identification(known: Identification) -> identification_pb2.PatientIdentification:
    return identification_pb2.PatientIdentification(
        document=None if known.document is None else DOCUMENT_NUMBERS[known.document],
        identified_by=known.identified_by,
        identified_at=timestamp(known.identified_at),
    )


def fill_allergies_asked(message: allergies_pb2.AllergiesAsked, asked: AllergiesAsked) -> None:
    """Sets who recorded that a patient has no known allergies, and when."""
    message.asked_by = asked.name
    fill_timestamp(message.asked_at, asked.at)


def _allergies_asked(asked: AllergiesAsked) -> allergies_pb2.AllergiesAsked:
    message = allergies_pb2.AllergiesAsked()
    fill_allergies_asked(message, asked)
    return message


def profile_message(patient: Patient) -> patient_pb2.PatientProfile:
    """Returns the record as its patient sees it without a one-time code."""
    return patient_pb2.PatientProfile(**_record(patient), full_emails=patient.full_emails)


def _record(patient: Patient) -> dict[str, Any]:
    return {
        "id": str(patient.id),
        "reference_number": patient.reference_number,
        "full_name": patient.full_name,
        "email": patient.email,
        **{name: getattr(patient, name) for name in _SCALARS},
        "date_of_birth": date_text(patient.date_of_birth),
        "gender": None if patient.gender is None else GENDER_NUMBERS[patient.gender],
        "allergies": patient.allergies,
        "allergy_status": ALLERGY_NUMBERS[patient.allergy_status],
        "allergies_asked": None if patient.allergies_asked is None else _allergies_asked(patient.allergies_asked),
        "version": patient.version,
        "created_at": timestamp(patient.created_at),
        "updated_at": timestamp(patient.updated_at),
        "assurance": ASSURANCE_NUMBERS[patient.assurance],
        "identification": None if patient.identification is None else _identification(patient.identification),
    }


def patients_response(page: Page[PatientSummary]) -> pb.ListPatientsResponse:
    """Returns the response with a page of patients."""
    response = pb.ListPatientsResponse(patients=map(_summary, page.items))
    fill_page(response, page)
    return response


def _summary(patient: PatientSummary) -> patient_pb2.PatientSummary:
    return patient_pb2.PatientSummary(
        id=str(patient.id),
        reference_number=patient.reference_number,
        full_name=patient.full_name,
        date_of_birth=date_text(patient.date_of_birth),
        assurance=ASSURANCE_NUMBERS[patient.assurance],
    )
