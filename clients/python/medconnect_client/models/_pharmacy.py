"""What pharmacists see and do."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from medconnect_client.models._prescriptions import PrescriptionItem, PrescriptionStatus, QrCodeInfo


class PharmacyAction(StrEnum):
    """What a pharmacist did."""

    SCAN = "scan"
    LOOKUP = "lookup"
    VALIDATE = "validate"
    """Claimed the prescription, or renewed the claim."""
    DISPENSE = "dispense"
    REJECT = "reject"
    RELEASE = "release"
    UNKNOWN = "unknown"
    """One that this client does not know."""


@dataclass(frozen=True, slots=True)
class PharmacyPrescription:
    """A prescription as a pharmacist sees it."""

    id: str
    prescription_number: str
    """`RX-YYYYMMDD-XXXXXXXX`."""
    patient_name: str
    doctor_name: str
    diagnosis: str
    status: PrescriptionStatus
    items: tuple[PrescriptionItem, ...]
    qr_code: QrCodeInfo
    patient_allergies: tuple[str, ...]
    """Empty: not recorded, which does not mean that there are none."""
    patient_date_of_birth: date | None
    insurance_provider: str
    insurance_number: str
    doctor_license_number: str
    created_at: datetime
    expires_at: datetime
    """Until when it is valid."""
    fulfilled_at: datetime | None
    """When it was dispensed in full."""


@dataclass(frozen=True, slots=True)
class FoundPrescription:
    """What a scan or lookup found."""

    prescription: PharmacyPrescription
    is_valid: bool
    """True: what is not valid is not found, or raises."""
    can_dispense: bool
    """Whether the caller could now go on to dispense."""


@dataclass(frozen=True, slots=True)
class Validation:
    """A claim that was taken or renewed."""

    prescription: PharmacyPrescription
    claim_expires_at: datetime
    """Until when the caller may dispense, by the server's clock."""


@dataclass(frozen=True, slots=True)
class DispenseLine:
    """One item to hand out."""

    item_id: str
    quantity: int
    """Units, at most what is open."""
    unit_price: Decimal
    """The price of one unit in the server's currency, at most two decimals."""
    batch_number: str
    expiry_date: date
    """The batch's last day of use."""


@dataclass(frozen=True, slots=True)
class Dispensing:
    """What a dispense did."""

    prescription: PharmacyPrescription
    """After it."""
    total_amount: Decimal
    """The price of its lines together."""
    currency: str
    """ISO 4217."""


@dataclass(frozen=True, slots=True)
class DispensedLine:
    """One item that was handed out."""

    item_id: str
    medicine_name: str
    quantity: int
    unit_price: Decimal
    line_total: Decimal
    batch_number: str
    expiry_date: date
    pharmacy_name: str
    dispensed_at: datetime


@dataclass(frozen=True, slots=True)
class DispensingHistoryEntry:
    """One of the caller's own actions."""

    id: str
    action: PharmacyAction
    prescription_id: str
    prescription_number: str
    patient_name: str
    lines: tuple[DispensedLine, ...]
    total_amount: Decimal | None
    """None unless something was dispensed."""
    currency: str
    notes: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a prescription's log."""

    id: str
    action: PharmacyAction
    pharmacist_name: str
    pharmacy_name: str
    from_status: PrescriptionStatus
    to_status: PrescriptionStatus
    notes: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was handed out of a prescription."""

    prescription_number: str
    patient_name: str
    status: PrescriptionStatus
    lines: tuple[DispensedLine, ...]
    total_amount: Decimal
    currency: str
