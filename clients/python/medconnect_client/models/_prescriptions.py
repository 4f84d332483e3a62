"""Visits, prescriptions and QR codes."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from medconnect_client.models._people import PatientEmailStatus
from medconnect_client.models._quantities import QuantityUnit


class PrescriptionStatus(StrEnum):
    """The state of a prescription."""

    PENDING = "pending"
    """Created; no pharmacist has scanned it."""
    SCANNED = "scanned"
    VALIDATED = "validated"
    """Claimed by a pharmacist."""
    PARTIALLY_DISPENSED = "partially_dispensed"
    DISPENSED = "dispensed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CLOSED = "closed"
    """A part was dispensed, and a pharmacy closed the rest."""
    UNKNOWN = "unknown"
    """A value that this client does not know."""


class VisitType(StrEnum):
    """The kind of a visit."""

    CONSULTATION = "consultation"
    EMERGENCY = "emergency"
    FOLLOW_UP = "follow_up"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class PrescriptionItem:
    """A medicine of a prescription."""

    id: str
    medicine_name: str
    dosage: str
    """The amount per intake, such as `500 mg`."""
    frequency: str
    quantity: int
    """The prescribed quantity, rounded down to whole units; `prescribed` is exact."""
    instructions: str
    route: str
    duration_days: int | None
    dispensed_quantity: int
    """The dispensed quantity, rounded down; `dispensed` is exact."""
    remaining_quantity: int
    """The quantity not yet dispensed, rounded down; `remaining` is exact."""
    quantity_unit: QuantityUnit = QuantityUnit.PIECE
    exact_quantity: Decimal | None = None
    """None from a server that has whole quantities only, as the next two."""
    exact_dispensed_quantity: Decimal | None = None
    exact_remaining_quantity: Decimal | None = None
    substitution_allowed: bool | None = None
    """False if the pharmacy must give this product and no other one; None if a substitute is allowed."""

    @property
    def prescribed(self) -> Decimal:
        """The prescribed quantity."""
        return Decimal(self.quantity) if self.exact_quantity is None else self.exact_quantity

    @property
    def dispensed(self) -> Decimal:
        """The dispensed quantity."""
        exact = self.exact_dispensed_quantity
        return Decimal(self.dispensed_quantity) if exact is None else exact

    @property
    def remaining(self) -> Decimal:
        """The quantity not yet dispensed."""
        exact = self.exact_remaining_quantity
        return Decimal(self.remaining_quantity) if exact is None else exact


@dataclass(frozen=True, slots=True)
class QrCodeInfo:
    """The properties of a QR code, without the code itself."""

    qr_hash: str
    """The first 32 hexadecimal digits of the SHA-256 of its text."""
    is_used: bool
    scan_count: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code, as text and as a picture."""

    qr_code_image: str
    """A PNG as a `data:` URL."""
    qr_code: str
    """The text of the code."""
    qr_hash: str
    expires_at: datetime
    scan_count: int
    is_used: bool


@dataclass(frozen=True, slots=True)
class PatientPrescription:
    """A prescription, as the patient sees it."""

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
    """When the prescription expires."""
    fulfilled_at: datetime | None
    """When the prescription was dispensed in full."""
    status_reason: str
    """Why the prescription was rejected, cancelled or closed."""
    suspended_at: datetime | None
    """Since when it cannot be dispensed, until another doctor of the hospital resumes it."""
    valid_from: date | None
    """The first day on which it can be dispensed; None if it was valid from its creation."""


@dataclass(frozen=True, slots=True)
class Prescription(PatientPrescription):
    """A prescription, as the prescribing doctor sees it."""

    patient_id: str
    patient_name: str
    visit_id: str
    doctor_notes: str
    patient_email_status: PatientEmailStatus
    """Whether emails about the prescription can reach the patient."""
    prescriber_inactive: bool | None
    """True if the account of the doctor who wrote it is deactivated."""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A prescription email in the queue."""

    prescription_number: str
    qr_code: QrCodeInfo
    """The QR code that the email contains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrescriptionItem:
    """A medicine to prescribe."""

    medicine_name: str
    dosage: str
    frequency: str
    quantity: int | None = None
    """Whole units, 1 to 10,000; None if `exact_quantity` is given."""
    instructions: str | None = None
    route: str | None = None
    duration_days: int | None = None
    exact_quantity: Decimal | None = None
    """The quantity with at most three decimal places, above 0 and at most 10,000."""
    quantity_unit: QuantityUnit | None = None
    """Pieces if None."""
    substitution_allowed: bool | None = None
    """False if the pharmacy must give this product and no other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrescription:
    """The data of a prescription to create; the caller is its doctor."""

    patient_id: str
    diagnosis: str
    items: tuple[NewPrescriptionItem, ...]
    visit_id: str | None = None
    doctor_notes: str | None = None
    """Notes that only the caller can read."""
    valid_from: date | None = None
    """The first day on which it can be dispensed, up to 365 days ahead; at once if None."""
    valid_days: int | None = None
    """How many days it is valid, 1 to 365; the hospital's setting if None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalSigns:
    """The vital signs measured at a visit."""

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
    """The data of a visit to record; the caller is its doctor."""

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
