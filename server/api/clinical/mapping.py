"""Maps clinical messages and entities to each other.

What lists contain is filled in place, by functions called `fill_…`: a message that is passed to another one is copied,
which would more than double the cost of a list.
"""

from uuid import UUID

from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import prescription_pb2, visit_pb2

from server.api.clinical import patient_mapping
from server.api.clinical.item_mapping import fill_item, new_item
from server.api.wire import enum_pair, fill_page, fill_timestamp, read_date, read_uuid, timestamp
from server.clinical.entities import (
    NewPrescription,
    NewVisit,
    Prescription,
    PrescriptionStatus,
    Visit,
    VisitType,
    VitalSigns,
)
from server.clinical.services.qr_codes import ShownQrCode
from server.pagination import Page
from server.qr import picture

STATUS_NUMBERS, STATUSES = enum_pair(prescription_pb2.PrescriptionStatus, PrescriptionStatus, "PRESCRIPTION_STATUS")
VISIT_TYPE_NUMBERS, VISIT_TYPES = enum_pair(visit_pb2.VisitType, VisitType, "VISIT_TYPE")


def filtered_patient(request: pb.ListPrescriptionsRequest | pb.ListMedicalVisitsRequest) -> UUID | None:
    """Returns the patient that filters a list; None without a filter."""
    return read_uuid(request.patient_id) if request.HasField("patient_id") else None


def statuses(
    request: pb.ListPrescriptionsRequest | pb.ListMyPrescriptionsRequest,
) -> tuple[PrescriptionStatus, ...]:
    """Returns the states that filter a list."""
    return tuple(STATUSES[number] for number in request.status)


def new_visit(request: pb.CreateMedicalVisitRequest) -> NewVisit:
    """Returns the visit to record. Raises ValidationFailed for a date that does not exist."""
    return NewVisit(
        patient_id=read_uuid(request.patient_id),
        visit_date=read_date(request.visit_date, "visitDate"),
        visit_type=VISIT_TYPES[request.visit_type],
        chief_complaint=request.chief_complaint,
        symptoms=request.symptoms,
        diagnosis=request.diagnosis,
        treatment_notes=request.treatment_notes,
        recommendations=request.recommendations,
        hospital_name=request.hospital_name,
        vital_signs=_vital_signs(request.vital_signs) if request.HasField("vital_signs") else None,
    )


def _vital_signs(message: visit_pb2.VitalSigns) -> VitalSigns:
    return VitalSigns(
        blood_pressure=message.blood_pressure if message.HasField("blood_pressure") else None,
        heart_rate=message.heart_rate if message.HasField("heart_rate") else None,
        temperature=message.temperature if message.HasField("temperature") else None,
        weight=message.weight if message.HasField("weight") else None,
        height=message.height if message.HasField("height") else None,
    )


def visit_message(visit: Visit) -> visit_pb2.MedicalVisit:
    """Returns a visit as a message."""
    message = visit_pb2.MedicalVisit()
    fill_visit(message, visit)
    return message


def fill_visit(message: visit_pb2.MedicalVisit, visit: Visit) -> None:
    """Sets the fields of a visit."""
    message.id = str(visit.id)
    message.patient_id = str(visit.patient_id)
    message.patient_name = visit.patient_name
    message.doctor_name = visit.doctor_name
    message.visit_date = visit.visit_date.isoformat()
    message.visit_type = VISIT_TYPE_NUMBERS[visit.visit_type]
    message.chief_complaint = visit.chief_complaint
    message.symptoms = visit.symptoms
    message.diagnosis = visit.diagnosis
    message.treatment_notes = visit.treatment_notes
    message.recommendations = visit.recommendations
    message.hospital_name = visit.hospital_name
    if visit.vital_signs is not None:
        message.vital_signs.MergeFrom(_vital_signs_message(visit.vital_signs))
    fill_timestamp(message.created_at, visit.created_at)


def _vital_signs_message(measured: VitalSigns) -> visit_pb2.VitalSigns:
    return visit_pb2.VitalSigns(
        blood_pressure=measured.blood_pressure,
        heart_rate=measured.heart_rate,
        temperature=measured.temperature,
        weight=measured.weight,
        height=measured.height,
    )


def visits_response(page: Page[Visit]) -> pb.ListMedicalVisitsResponse:
    """Returns the response with a page of visits."""
    response = pb.ListMedicalVisitsResponse()
    for visit in page.items:
        fill_visit(response.visits.add(), visit)
    fill_page(response, page)
    return response


def new_prescription(request: pb.CreatePrescriptionRequest) -> NewPrescription:
    """Returns the prescription to create. Raises ValidationFailed for the quantity of an item or a date."""
    return NewPrescription(
        patient_id=read_uuid(request.patient_id),
        visit_id=read_uuid(request.visit_id) if request.HasField("visit_id") else None,
        diagnosis=request.diagnosis,
        doctor_notes=request.doctor_notes,
        items=tuple(new_item(position, item) for position, item in enumerate(request.items)),
        valid_from=read_date(request.valid_from, "validFrom") if request.HasField("valid_from") else None,
        valid_days=request.valid_days if request.HasField("valid_days") else None,
    )


def code_message(prescription: Prescription) -> prescription_pb2.QrCodeInfo:
    """Returns the part of a prescription's current code that every reader of the prescription may see."""
    message = prescription_pb2.QrCodeInfo()
    fill_code(message, prescription)
    return message


def fill_code(message: prescription_pb2.QrCodeInfo, prescription: Prescription) -> None:
    """Sets the same part of a prescription's current code."""
    code = prescription.qr_code
    message.qr_hash = code.qr_hash
    message.is_used = _is_used(prescription)
    message.scan_count = code.scan_count
    fill_timestamp(message.expires_at, code.expires_at)


def prescription_message(prescription: Prescription) -> prescription_pb2.Prescription:
    """Returns a prescription as the doctor who wrote it sees it."""
    message = prescription_pb2.Prescription()
    fill_prescription(message, prescription)
    return message


def fill_prescription(message: prescription_pb2.Prescription, prescription: Prescription) -> None:
    """Sets the fields of a prescription as the doctor who wrote it sees it."""
    _fill_shared(message, prescription)
    message.patient_id = str(prescription.patient_id)
    message.patient_name = prescription.patient_name
    if prescription.visit_id is not None:
        message.visit_id = str(prescription.visit_id)
    message.doctor_notes = prescription.doctor_notes
    message.patient_email_status = patient_mapping.EMAIL_STATUS_NUMBERS[prescription.patient_email_status]
    if prescription.prescriber_inactive:
        message.prescriber_inactive = True


def fill_patient_prescription(message: prescription_pb2.PatientPrescription, prescription: Prescription) -> None:
    """Sets the fields of a prescription as its patient sees it."""
    _fill_shared(message, prescription)


def _fill_shared(
    message: prescription_pb2.Prescription | prescription_pb2.PatientPrescription, prescription: Prescription
) -> None:
    message.id = str(prescription.id)
    message.prescription_number = prescription.number
    message.doctor_name = prescription.doctor_name
    message.diagnosis = prescription.diagnosis
    message.status = STATUS_NUMBERS[prescription.status]
    for item in prescription.items:
        fill_item(message.items.add(), item)
    fill_code(message.qr_code, prescription)
    fill_timestamp(message.created_at, prescription.created_at)
    fill_timestamp(message.expires_at, prescription.expires_at)
    if prescription.fulfilled_at is not None:
        fill_timestamp(message.fulfilled_at, prescription.fulfilled_at)
    message.status_reason = prescription.status_reason
    if prescription.suspended_at is not None:
        fill_timestamp(message.suspended_at, prescription.suspended_at)
    if prescription.later_validity is not None:
        message.valid_from = prescription.later_validity.valid_from.isoformat()


def prescriptions_response(page: Page[Prescription]) -> pb.ListPrescriptionsResponse:
    """Returns the response with a page of a doctor's prescriptions."""
    response = pb.ListPrescriptionsResponse()
    for prescription in page.items:
        fill_prescription(response.prescriptions.add(), prescription)
    fill_page(response, page)
    return response


def my_prescriptions_response(page: Page[Prescription]) -> pb.ListMyPrescriptionsResponse:
    """Returns the response with a page of a patient's prescriptions."""
    response = pb.ListMyPrescriptionsResponse()
    for prescription in page.items:
        fill_patient_prescription(response.prescriptions.add(), prescription)
    fill_page(response, page)
    return response


def _is_used(prescription: Prescription) -> bool:
    return prescription.status is PrescriptionStatus.DISPENSED


def qr_code_response(shown: ShownQrCode) -> pb.GetQrCodeResponse:
    """Returns the response with a code as text and as a picture."""
    code = shown.prescription.qr_code
    return pb.GetQrCodeResponse(
        qr_code_image=picture.data_url(shown.png),
        qr_code=shown.text,
        qr_hash=code.qr_hash,
        expires_at=timestamp(code.expires_at),
        scan_count=code.scan_count,
        is_used=_is_used(shown.prescription),
    )


def qr_code_image_response(shown: ShownQrCode) -> pb.GetQrCodeImageResponse:
    """Returns the response with a code as a picture."""
    response = pb.GetQrCodeImageResponse()
    response.image.content_type = "image/png"
    response.image.data = shown.png
    return response
