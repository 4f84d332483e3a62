"""Entities of patients, visits, prescriptions and QR codes, as the rules and services use them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from uuid import UUID

from server.clinical.patient_entities import (
    AllergiesAsked,
    AllergyStatus,
    EmailDetachment,
    Identification,
    PatientAssurance,
)
from server.clinical.quantities import QuantityUnit
from server.clinical.validity import LaterValidity
from server.patient_details import Gender


class VisitType(StrEnum):
    """The kind of a medical visit."""

    CONSULTATION = "consultation"
    EMERGENCY = "emergency"
    FOLLOW_UP = "follow_up"


class PrescriptionStatus(StrEnum):
    """The states of a prescription; the transitions are in `prescribing.py` and in the pharmacy's rules.

    CLOSED: a part is dispensed, and a pharmacy has closed the rest.
    """

    PENDING = "pending"
    SCANNED = "scanned"
    VALIDATED = "validated"
    PARTIALLY_DISPENSED = "partially_dispensed"
    DISPENSED = "dispensed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CLOSED = "closed"


class PatientEmailStatus(StrEnum):
    """The ways in which a patient can or cannot be emailed."""

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
    """The account's email address; empty without an account."""
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
    email_confirmed_at: datetime | None = None
    """The time at which the owner of the address confirmed it; until then it gets no health data."""
    full_emails: bool = False
    """True if the patient asked for complete emails."""
    detachment: EmailDetachment | None = None
    identification: Identification | None = None
    """None for a self-asserted record: a person registered with this name, and no member of staff identified them."""
    allergies_asked: AllergiesAsked | None = None
    """None unless the patient was asked and has no known allergies."""

    @property
    def allergy_status(self) -> AllergyStatus:
        """The knowledge about the patient's allergies."""
        return AllergyStatus.of(self.allergies, none_known=self.allergies_asked is not None)

    @property
    def assurance(self) -> PatientAssurance:
        """The knowledge that the record belongs to the person that it names."""
        return PatientAssurance.SELF_ASSERTED if self.identification is None else PatientAssurance.IDENTIFIED


@dataclass(frozen=True, slots=True)
class VitalSigns:
    """The measurements taken at a visit."""

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
    quantity: Decimal
    instructions: str
    route: str
    duration_days: int | None
    dispensed_quantity: Decimal
    quantity_unit: QuantityUnit
    substitution_allowed: bool = True
    """Whether a pharmacy may give another product."""

    @property
    def remaining_quantity(self) -> Decimal:
        """The quantity that is not dispensed yet."""
        return self.quantity - self.dispensed_quantity


class QrTextFormat(IntEnum):
    """The format of a code's text."""

    MC1 = 1
    LETTERS = 2


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code by the values from which its text is rebuilt; the text itself is never stored."""

    id: UUID
    prescription_id: UUID
    key_id: str
    nonce: bytes
    qr_hash: str
    issued_at: datetime
    expires_at: datetime
    replaced_at: datetime | None
    scan_count: int
    text_format: QrTextFormat


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one pharmacy to dispense a prescription until a lease ends."""

    pharmacist_id: UUID
    """The pharmacist who took the claim, or renewed it last."""
    claimed_from: PrescriptionStatus
    """The state after the claim: scanned or partially dispensed."""
    expires_at: datetime
    organisation_id: UUID | None = None
    """The pharmacy; None for a claim from before pharmacies were records, which the pharmacist alone holds."""


@dataclass(frozen=True, slots=True)
class Prescription:
    """A prescription with everything that any of its readers may see; each reader's message contains a part of it.

    `status` and `claim` are current at `as_of`, the database's time of the read: an expired claim is absent, and an
    open prescription past `expires_at` is expired, even before the worker has persisted that in the row.
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
    """The current code, which is open."""
    created_at: datetime
    expires_at: datetime
    changed_at: datetime
    fulfilled_at: datetime | None
    as_of: datetime
    suspended_at: datetime | None = None
    """Since when it cannot be dispensed until another doctor resumes it; kept when it reaches a final state."""
    prescriber_inactive: bool = False
    """Whether the account of its doctor is deactivated."""
    patient_identified: bool = True
    patient_allergies_asked: AllergiesAsked | None = None
    later_validity: LaterValidity | None = None
    """None if it was valid from its creation."""

    @property
    def patient_allergy_status(self) -> AllergyStatus:
        """The knowledge about the patient's allergies."""
        return AllergyStatus.of(self.patient_allergies, none_known=self.patient_allergies_asked is not None)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An entry of a patient's history: either a visit or a prescription."""

    day: date
    """The day of the visit, or on which the prescription was written, in the hospital's time zone."""
    visit: Visit | None
    prescription: Prescription | None

    @property
    def id(self) -> UUID:
        """The id of the visit or prescription."""
        event = self.visit or self.prescription
        if event is None:
            raise ValueError("an entry needs a visit or a prescription")
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
    quantity: Decimal
    instructions: str = ""
    route: str = ""
    duration_days: int | None = None
    quantity_unit: QuantityUnit = QuantityUnit.PIECE
    substitution_allowed: bool = True


@dataclass(frozen=True, slots=True)
class NewPrescription:
    """A prescription to create."""

    patient_id: UUID
    visit_id: UUID | None
    diagnosis: str
    doctor_notes: str
    items: tuple[NewPrescriptionItem, ...]
    valid_from: date | None = None
    """None for at once."""
    valid_days: int | None = None


@dataclass(frozen=True, slots=True)
class PatientChange:
    """An update of a record: fields that are None and not named in `clear` stay unchanged."""

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
    full_emails: bool | None = None
    no_known_allergies: bool | None = None
    clear: frozenset[str] = frozenset()
    """Fields to clear, by their JSON names."""
    version: int | None = None
    """The version that the caller has read; None updates any version."""
