"""Entities of pharmacies, as the rules and the service use them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from server.clinical.entities import Prescription, PrescriptionItem, PrescriptionStatus
from server.clinical.quantities import QuantityUnit, price_of
from server.date_range import Period


class PharmacyAction(StrEnum):
    """The kind of a pharmacist's action."""

    SCAN = "scan"
    LOOKUP = "lookup"
    VALIDATE = "validate"
    DISPENSE = "dispense"
    REJECT = "reject"
    RELEASE = "release"
    END_CLAIM = "end_claim"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class FoundPrescription:
    """A prescription that was scanned or looked up."""

    prescription: Prescription
    can_dispense: bool
    """Whether the caller could dispense now: see `claims.can_dispense`."""


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The prescriptions that a number finds, newest first."""

    reference_number: str
    """The number as it was read."""
    found: tuple[FoundPrescription, ...]
    has_more: bool
    """Whether the patient has more open prescriptions than were found."""


@dataclass(frozen=True, slots=True)
class Validation:
    """A prescription that the caller has claimed, and when the claim expires."""

    prescription: Prescription
    claim_expires_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """The bounds of claims per pharmacist."""

    open_claims: int
    """How many prescriptions they may have claimed at a time."""
    renewals: int
    """How often they may claim one prescription again within 24 hours."""


@dataclass(frozen=True, slots=True)
class ClaimCounts:
    """The claims of a pharmacist after one more."""

    open_claims: int
    claims_of_prescription: int
    """How often they claimed this prescription within 24 hours."""


class EndedBy(StrEnum):
    """The cause that ended a claim other than its pharmacist; the log notes it."""

    PATIENT = "ended by the patient"
    ADMINISTRATOR = "ended by an administrator of the pharmacy"
    ACCOUNT = "the account was deactivated"
    MEMBERSHIP = "the membership ended"
    CLOSURE = "the pharmacy was closed"
    WORKPLACE = "the pharmacist changed the workplace"


@dataclass(frozen=True, slots=True)
class DispenseLine:
    """One item to dispense."""

    item_id: UUID
    quantity: Decimal
    unit_price: Decimal
    """The price of one unit in the instance's currency."""
    batch_number: str
    expiry_date: date
    """The batch's last day of use."""
    quantity_unit: QuantityUnit | None = None
    """The unit that the caller names; None for the unit that is prescribed."""
    product_code: str = ""
    """The code of the package, such as a GTIN; empty if not given."""
    dispensed_medicine_name: str = ""
    """The name of the product that is given; empty for the prescribed medicine."""
    substitution_reason: str = ""


@dataclass(frozen=True, slots=True)
class Dispensing:
    """The result of a permitted dispense."""

    status: PrescriptionStatus
    items: tuple[PrescriptionItem, ...]
    """All items of the prescription after the dispense."""
    quantities: Mapping[UUID, Decimal]
    """The quantities dispensed now, by item id."""
    total_amount: Decimal


@dataclass(frozen=True, slots=True)
class DispensedPrescription:
    """A prescription after a dispense."""

    prescription: Prescription
    total_amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An action to log."""

    id: UUID
    prescription_id: UUID
    pharmacist_id: UUID
    organisation_id: UUID | None
    """The pharmacy for which the pharmacist acted; None if the claim is one of an older server."""
    action: PharmacyAction
    from_status: PrescriptionStatus
    to_status: PrescriptionStatus
    notes: str


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to store with its dispense."""

    id: UUID
    item_id: UUID
    dispensed_before: Decimal
    """The quantity of the item that had been dispensed before, also by other lines of the same dispense."""
    quantity: Decimal
    unit_price: Decimal
    currency: str
    batch_number: str
    expiry_date: date
    product_code: str = ""
    dispensed_medicine_name: str = ""
    """The name of the substitute; empty if the prescribed medicine is given."""
    substitution_reason: str = ""


@dataclass(frozen=True, slots=True)
class DispensedLine:
    """One dispensed item."""

    log_id: UUID
    item_id: UUID
    medicine_name: str
    quantity: Decimal
    quantity_unit: QuantityUnit
    unit_price: Decimal
    currency: str
    batch_number: str
    expiry_date: date
    pharmacy_name: str
    dispensed_at: datetime
    product_code: str = ""
    dispensed_medicine_name: str = ""
    """The name of the substitute; empty if the prescribed medicine was given."""
    substitution_reason: str = ""

    @property
    def total(self) -> Decimal:
        """The price of the line."""
        return price_of(self.quantity, self.unit_price)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Filter of a pharmacy's actions."""

    period: Period
    """Calendar days in the hospital's time zone."""
    action: PharmacyAction | None
    """None includes all actions."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One of a pharmacy's actions."""

    id: UUID
    action: PharmacyAction
    pharmacist_name: str
    prescription_id: UUID
    prescription_number: str
    patient_name: str
    notes: str
    occurred_at: datetime
    lines: tuple[DispensedLine, ...] = ()
    """The dispensed lines; empty unless the action is a dispense."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a prescription's log."""

    id: UUID
    action: PharmacyAction
    pharmacist_name: str
    pharmacy_name: str
    from_status: PrescriptionStatus
    to_status: PrescriptionStatus
    notes: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """The dispensed lines of a prescription that its reader may see, oldest first."""

    prescription_number: str
    patient_name: str
    status: PrescriptionStatus
    lines: tuple[DispensedLine, ...]
    currency: str
    closing_reason: str = ""
    """The reason why the rest was closed; empty in every other state."""

    @property
    def total_amount(self) -> Decimal:
        """The price of all lines together."""
        return total_of(self.lines)


def total_of(lines: tuple[DispensedLine, ...]) -> Decimal:
    """Returns the total price of the lines."""
    return sum((line.total for line in lines), Decimal(0))
