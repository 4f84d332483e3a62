"""Visits, prescriptions and QR codes."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from medconnect_client.models._people import PatientEmailStatus


class PrescriptionStatus(StrEnum):
    """Where a prescription is in its life."""

    PENDING = "pending"
    """Written; no pharmacy has seen it."""
    SCANNED = "scanned"
    VALIDATED = "validated"
    """Claimed by a pharmacist who is about to dispense it."""
    PARTIALLY_DISPENSED = "partially_dispensed"
    DISPENSED = "dispensed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """One that this client does not know."""


class VisitType(StrEnum):
    """Why a patient came."""

    CONSULTATION = "consultation"
    EMERGENCY = "emergency"
    FOLLOW_UP = "follow_up"
    UNKNOWN = "unknown"
    """One that this client does not know."""


@dataclass(frozen=True, slots=True)
class PrescriptionItem:
    """One medicine of a prescription."""

    id: str
    medicine_name: str
    dosage: str
    """How much at a time, such as `500 mg`."""
    frequency: str
    quantity: int
    """Units that are prescribed."""
    instructions: str
    route: str
    duration_days: int | None
    dispensed_quantity: int
    remaining_quantity: int
    """Units that are still open."""


@dataclass(frozen=True, slots=True)
class QrCodeInfo:
    """What is known of a QR code, without the code itself."""

    qr_hash: str
    """The first 32 hexadecimal digits of the SHA-256 of its text."""
    is_used: bool
    scan_count: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code."""

    qr_code_image: str
    """A PNG as a `data:` URL."""
    qr_code: str
    """The text that the picture holds, `MC1.…`."""
    qr_hash: str
    expires_at: datetime
    scan_count: int
    is_used: bool


@dataclass(frozen=True, slots=True)
class PatientPrescription:
    """A prescription as its patient sees it."""

    id: str
    prescription_number: str
    """`RX-YYYYMMDD-XXXXXXXX`."""
    doctor_name: str
    diagnosis: str
    status: PrescriptionStatus
    items: tuple[PrescriptionItem, ...]
    qr_code: QrCodeInfo
    created_at: datetime
    expires_at: datetime
    """Until when it is valid."""
    fulfilled_at: datetime | None
    """When it was dispensed in full."""
    status_reason: str
    """Why it was rejected or cancelled."""


@dataclass(frozen=True, slots=True)
class Prescription(PatientPrescription):
    """A prescription as the doctor who wrote it sees it."""

    patient_id: str
    patient_name: str
    visit_id: str
    doctor_notes: str
    patient_email_status: PatientEmailStatus
    """Whether emails about it go to its patient."""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A prescription mail that will be sent."""

    prescription_number: str
    qr_code: QrCodeInfo
    """The code that the mail will hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrescriptionItem:
    """One medicine to prescribe."""

    medicine_name: str
    dosage: str
    frequency: str
    quantity: int
    """Units, 1 to 10,000."""
    instructions: str | None = None
    route: str | None = None
    duration_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrescription:
    """What to prescribe; the doctor is the caller."""

    patient_id: str
    diagnosis: str
    items: tuple[NewPrescriptionItem, ...]
    visit_id: str | None = None
    doctor_notes: str | None = None
    """Only the caller sees them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalSigns:
    """What was measured."""

    blood_pressure: str | None = None
    """Systolic/diastolic in mmHg, such as `120/80`."""
    heart_rate: int | None = None
    """Beats per minute."""
    temperature: float | None = None
    """Degrees Celsius."""
    weight: float | None = None
    """Kilograms."""
    height: float | None = None
    """Centimetres."""


@dataclass(frozen=True, slots=True)
class MedicalVisit:
    """A visit of a patient to a doctor."""

    id: str
    patient_id: str
    patient_name: str
    doctor_name: str
    visit_date: date
    visit_type: VisitType
    chief_complaint: str
    symptoms: str
    diagnosis: str
    treatment_notes: str
    recommendations: str
    hospital_name: str
    vital_signs: VitalSigns | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVisit:
    """What to record; the doctor is the caller."""

    patient_id: str
    visit_date: date
    visit_type: VisitType
    chief_complaint: str
    symptoms: str | None = None
    diagnosis: str | None = None
    treatment_notes: str | None = None
    recommendations: str | None = None
    hospital_name: str | None = None
    vital_signs: VitalSigns | None = None
