"""Patients, visits, prescriptions and QR codes as the rules and services see them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from server.patient_details import Gender


class VisitType(StrEnum):
    """Why a patient came."""

    CONSULTATION = "consultation"
    EMERGENCY = "emergency"
    FOLLOW_UP = "follow_up"


class PrescriptionStatus(StrEnum):
    """Where a prescription is in its life; the state table stands in `prescribing.py` and in the pharmacy's rules."""

    PENDING = "pending"
    SCANNED = "scanned"
    VALIDATED = "validated"
    PARTIALLY_DISPENSED = "partially_dispensed"
    DISPENSED = "dispensed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PatientEmailStatus(StrEnum):
    """Whether a patient can be emailed."""

    REACHABLE = "reachable"
    NO_ADDRESS = "no_address"
    """There is no account, or its address is not confirmed."""
    ACCOUNT_DEACTIVATED = "account_deactivated"


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient record."""

    id: UUID
    user_id: UUID | None
    reference_number: str
    full_name: str
    email: str
    """That of the account; empty without one."""
    email_status: PatientEmailStatus
    phone: str
    date_of_birth: date | None
    gender: Gender | None
    blood_type: str
    address: str
    emergency_contact: str
    emergency_phone: str
    insurance_provider: str
    insurance_number: str
    allergies: tuple[str, ...]
    existing_conditions: tuple[str, ...]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """A line of a list of patients."""

    id: UUID
    reference_number: str
    full_name: str
    date_of_birth: date | None


@dataclass(frozen=True, slots=True)
class VitalSigns:
    """What was measured at a visit."""

    blood_pressure: str | None
    """Systolic/diastolic in mmHg."""
    heart_rate: int | None
    """Beats per minute."""
    temperature: float | None
    """Degrees Celsius."""
    weight: float | None
    """Kilograms."""
    height: float | None
    """Centimetres."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A medical visit."""

    id: UUID
    patient_id: UUID
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


@dataclass(frozen=True, slots=True)
class PrescriptionItem:
    """One medicine of a prescription."""

    id: UUID
    medicine_name: str
    dosage: str
    frequency: str
    quantity: int
    instructions: str
    route: str
    duration_days: int | None
    dispensed_quantity: int

    @property
    def remaining_quantity(self) -> int:
        """How many units are still open."""
        return self.quantity - self.dispensed_quantity


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code by what its text is rebuilt from; the text itself is stored nowhere."""

    id: UUID
    prescription_id: UUID
    key_id: str
    nonce: bytes
    qr_hash: str
    issued_at: datetime
    expires_at: datetime
    replaced_at: datetime | None
    scan_count: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The hold that a pharmacist has on a prescription while he dispenses it."""

    pharmacist_id: UUID
    claimed_from: PrescriptionStatus
    """The state to return to: scanned or partially dispensed."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Prescription:
    """A prescription with all that any of its readers may see; each reader's message takes his part of it.

    `status` and `claim` are what holds at `as_of`, the database's time of the reading: a claim whose lease is over is
    gone, an open prescription past `expires_at` is expired, whatever the row says until the worker writes it down.
    """

    id: UUID
    number: str
    patient_id: UUID
    patient_user_id: UUID | None
    patient_name: str
    patient_email: str
    patient_email_status: PatientEmailStatus
    patient_date_of_birth: date | None
    patient_allergies: tuple[str, ...]
    insurance_provider: str
    insurance_number: str
    doctor_id: UUID
    doctor_name: str
    doctor_email: str
    doctor_license_number: str
    visit_id: UUID | None
    diagnosis: str
    doctor_notes: str
    status: PrescriptionStatus
    status_reason: str
    claim: Claim | None
    items: tuple[PrescriptionItem, ...]
    qr_code: QrCode
    """The present, open code."""
    created_at: datetime
    expires_at: datetime
    changed_at: datetime
    fulfilled_at: datetime | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A line of a patient's history: of the two events it holds one."""

    day: date
    """Of the visit, or of writing the prescription, at the hospital."""
    visit: Visit | None
    prescription: Prescription | None

    @property
    def id(self) -> UUID:
        """That of the event."""
        event = self.visit or self.prescription
        if event is None:
            raise ValueError("an entry tells of an event")
        return event.id


@dataclass(frozen=True, slots=True)
class NewVisit:
    """A visit to record."""

    patient_id: UUID
    visit_date: date
    visit_type: VisitType
    chief_complaint: str
    symptoms: str
    diagnosis: str
    treatment_notes: str
    recommendations: str
    hospital_name: str
    """Empty for the doctor's own hospital."""
    vital_signs: VitalSigns | None


@dataclass(frozen=True, slots=True)
class NewPrescriptionItem:
    """A medicine to prescribe."""

    medicine_name: str
    dosage: str
    frequency: str
    quantity: int
    instructions: str = ""
    route: str = ""
    duration_days: int | None = None


@dataclass(frozen=True, slots=True)
class NewPrescription:
    """A prescription to write."""

    patient_id: UUID
    visit_id: UUID | None
    diagnosis: str
    doctor_notes: str
    items: tuple[NewPrescriptionItem, ...]


@dataclass(frozen=True, slots=True)
class PatientChange:
    """What an update of a record asks for: None and the names that are not in `clear` stay as they are."""

    full_name: str | None = None
    phone: str | None = None
    date_of_birth: date | None = None
    gender: Gender | None = None
    blood_type: str | None = None
    address: str | None = None
    emergency_contact: str | None = None
    emergency_phone: str | None = None
    insurance_provider: str | None = None
    insurance_number: str | None = None
    allergies: tuple[str, ...] | None = None
    existing_conditions: tuple[str, ...] | None = None
    clear: frozenset[str] = frozenset()
    """Fields to empty, by their JSON names."""
    version: int | None = None
    """The version that the caller has seen; None changes whichever is there."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a prescription may be dispensed."""

    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PrescriptionFilter:
    """What a list of prescriptions is narrowed to; what is empty or None does not narrow."""

    statuses: tuple[PrescriptionStatus, ...] = ()
    patient_id: UUID | None = None
    written_from: datetime | None = None
    written_before: datetime | None = None
