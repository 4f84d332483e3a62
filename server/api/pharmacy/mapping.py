"""Maps the pharmacy's messages and entities to each other."""

from datetime import date
from decimal import Decimal

from medconnect.pharmacy.v1 import dispensing_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pb

from server.api.clinical.item_mapping import UNIT_NUMBERS, UNITS, fill_item, read_quantity
from server.api.clinical.mapping import STATUS_NUMBERS, fill_code
from server.api.clinical.patient_mapping import ALLERGY_NUMBERS, fill_allergies_asked
from server.api.wire import (
    date_text,
    enum_pair,
    fill_page,
    fill_timestamp,
    read_period,
    read_uuid,
    timestamp,
)
from server.clinical.entities import Prescription
from server.clinical.quantities import in_digits
from server.errors import ValidationFailed
from server.pagination import Page
from server.pharmacy.entities import (
    DispensedLine,
    DispensedPrescription,
    DispenseLine,
    FoundPrescription,
    HistoryEntry,
    HistoryFilter,
    LogEntry,
    LookupResult,
    PharmacyAction,
    Receipt,
    Validation,
    total_of,
)
from server.pharmacy.rules import batch_expiry

ACTION_NUMBERS, ACTIONS = enum_pair(dispensing_pb2.PharmacyAction, PharmacyAction, "PHARMACY_ACTION")


def dispense_lines(request: pb.DispensePrescriptionRequest) -> list[DispenseLine]:
    """Returns the lines to dispense. Raises ValidationFailed for a wrong quantity or a date that does not exist."""
    return [
        DispenseLine(
            item_id=read_uuid(line.item_id),
            quantity=read_quantity(line, f"items[{position}]"),
            unit_price=Decimal(line.unit_price),
            batch_number=line.batch_number,
            expiry_date=_read_expiry(line.expiry_date, f"items[{position}].expiryDate"),
            quantity_unit=UNITS[line.quantity_unit] if line.HasField("quantity_unit") else None,
            product_code=line.product_code,
            dispensed_medicine_name=line.dispensed_medicine_name,
            substitution_reason=line.substitution_reason,
        )
        for position, line in enumerate(request.items)
    ]


def _read_expiry(text: str, field: str) -> date:
    """Returns a batch's last day of use. Raises ValidationFailed for a day or month that does not exist."""
    try:
        return batch_expiry.read(text)
    except ValueError:
        raise ValidationFailed.of(field, "must be a date or month that exists, such as 2028-01-31 or 01/2028") from None


def history_filter(request: pb.ListDispensingHistoryRequest) -> HistoryFilter:
    """Returns the filter of a history. Raises ValidationFailed for a date that does not exist."""
    return HistoryFilter(
        period=read_period(request),
        action=ACTIONS[request.action] if request.HasField("action") else None,
    )


def prescription_message(prescription: Prescription) -> dispensing_pb2.PharmacyPrescription:
    """Returns the part of a prescription that a pharmacist may see: no address, no phone, no doctor's notes."""
    message = dispensing_pb2.PharmacyPrescription()
    _fill_prescription(message, prescription)
    return message


def _fill_prescription(message: dispensing_pb2.PharmacyPrescription, prescription: Prescription) -> None:
    message.id = str(prescription.id)
    message.prescription_number = prescription.number
    message.patient_name = prescription.patient_name
    message.doctor_name = prescription.doctor_name
    message.diagnosis = prescription.diagnosis
    message.status = STATUS_NUMBERS[prescription.status]
    for item in prescription.items:
        fill_item(message.items.add(), item)
    fill_code(message.qr_code, prescription)
    message.patient_allergies.extend(prescription.patient_allergies)
    message.patient_allergy_status = ALLERGY_NUMBERS[prescription.patient_allergy_status]
    if prescription.patient_allergies_asked is not None:
        fill_allergies_asked(message.patient_allergies_asked, prescription.patient_allergies_asked)
    message.patient_date_of_birth = date_text(prescription.patient_date_of_birth)
    message.insurance_provider = prescription.insurance_provider
    message.insurance_number = prescription.insurance_number
    message.doctor_license_number = prescription.doctor_license_number
    if prescription.prescriber_inactive:
        message.prescriber_inactive = True
    fill_timestamp(message.created_at, prescription.created_at)
    fill_timestamp(message.expires_at, prescription.expires_at)
    if prescription.later_validity is not None:
        message.valid_from = prescription.later_validity.valid_from.isoformat()
    if prescription.fulfilled_at is not None:
        fill_timestamp(message.fulfilled_at, prescription.fulfilled_at)


def _fill_found(message: pb.ScanQrCodeResponse | dispensing_pb2.FoundPrescription, found: FoundPrescription) -> None:
    _fill_prescription(message.prescription, found.prescription)
    message.is_valid = True
    message.can_dispense = found.can_dispense


def scan_response(found: FoundPrescription) -> pb.ScanQrCodeResponse:
    """Returns the response to a scan; a prescription that is not valid has raised an error before."""
    response = pb.ScanQrCodeResponse()
    _fill_found(response, found)
    return response


def lookup_response(result: LookupResult) -> pb.LookupPrescriptionsResponse:
    """Returns the response to a lookup."""
    response = pb.LookupPrescriptionsResponse(reference_number=result.reference_number, has_more=result.has_more)
    for one in result.found:
        _fill_found(response.prescriptions.add(), one)
    return response


def validate_response(validation: Validation) -> pb.ValidatePrescriptionResponse:
    """Returns the response to a validation."""
    return pb.ValidatePrescriptionResponse(
        prescription=prescription_message(validation.prescription),
        claim_expires_at=timestamp(validation.claim_expires_at),
    )


def dispense_response(dispensed: DispensedPrescription) -> pb.DispensePrescriptionResponse:
    """Returns the response to a dispense."""
    return pb.DispensePrescriptionResponse(
        prescription=prescription_message(dispensed.prescription),
        total_amount=_amount(dispensed.total_amount),
        currency=dispensed.currency,
    )


def end_claim_response(freed: Prescription) -> pb.EndClaimResponse:
    """Returns the response to the end of a claim."""
    return pb.EndClaimResponse(prescription_id=str(freed.id), status=STATUS_NUMBERS[freed.status])


def history_response(page: Page[HistoryEntry]) -> pb.ListDispensingHistoryResponse:
    """Returns the response with a page of a pharmacy's actions."""
    response = pb.ListDispensingHistoryResponse(entries=[_history_entry(entry) for entry in page.items])
    fill_page(response, page)
    return response


def log_response(page: Page[LogEntry]) -> pb.ListPrescriptionLogResponse:
    """Returns the response with a page of a prescription's log."""
    response = pb.ListPrescriptionLogResponse(entries=[_log_entry(entry) for entry in page.items])
    fill_page(response, page)
    return response


def summary_response(receipt: Receipt) -> pb.GetDispensingSummaryResponse:
    """Returns the response with the receipt."""
    return pb.GetDispensingSummaryResponse(
        prescription_number=receipt.prescription_number,
        patient_name=receipt.patient_name,
        status=STATUS_NUMBERS[receipt.status],
        lines=[_line(line) for line in receipt.lines],
        total_amount=_amount(receipt.total_amount),
        currency=receipt.currency,
        closing_reason=receipt.closing_reason,
    )


def _history_entry(entry: HistoryEntry) -> dispensing_pb2.DispensingHistoryEntry:
    return dispensing_pb2.DispensingHistoryEntry(
        id=str(entry.id),
        action=ACTION_NUMBERS[entry.action],
        pharmacist_name=entry.pharmacist_name,
        prescription_id=str(entry.prescription_id),
        prescription_number=entry.prescription_number,
        patient_name=entry.patient_name,
        lines=[_line(line) for line in entry.lines],
        total_amount=_amount(total_of(entry.lines)) if entry.lines else "",
        currency=entry.lines[0].currency if entry.lines else "",
        notes=entry.notes,
        occurred_at=timestamp(entry.occurred_at),
    )


def _log_entry(entry: LogEntry) -> dispensing_pb2.PrescriptionLogEntry:
    return dispensing_pb2.PrescriptionLogEntry(
        id=str(entry.id),
        action=ACTION_NUMBERS[entry.action],
        pharmacist_name=entry.pharmacist_name,
        pharmacy_name=entry.pharmacy_name,
        from_status=STATUS_NUMBERS[entry.from_status],
        to_status=STATUS_NUMBERS[entry.to_status],
        notes=entry.notes,
        occurred_at=timestamp(entry.occurred_at),
    )


def _line(line: DispensedLine) -> dispensing_pb2.DispensedLine:
    return dispensing_pb2.DispensedLine(
        item_id=str(line.item_id),
        medicine_name=line.medicine_name,
        quantity=int(line.quantity),
        unit_price=_amount(line.unit_price),
        line_total=_amount(line.total),
        batch_number=line.batch_number,
        expiry_date=date_text(line.expiry_date),
        pharmacy_name=line.pharmacy_name,
        dispensed_at=timestamp(line.dispensed_at),
        exact_quantity=in_digits(line.quantity),
        quantity_unit=UNIT_NUMBERS[line.quantity_unit],
        product_code=line.product_code,
        dispensed_medicine_name=line.dispensed_medicine_name,
        substitution_reason=line.substitution_reason,
    )


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f}"
