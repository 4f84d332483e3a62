"""Prescriptions, claims and actions, as pharmacists see them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from medconnect_client.models._identity import AllergiesAsked, AllergyStatus
from medconnect_client.models._prescriptions import PrescriptionItem, PrescriptionStatus, QrCodeInfo
from medconnect_client.models._quantities import QuantityUnit


class PharmacyAction(StrEnum):
    """An action of a pharmacist."""

    SCAN = "scan"
    LOOKUP = "lookup"
    VALIDATE = "validate"
    """The pharmacist claimed the prescription or renewed the claim."""
    DISPENSE = "dispense"
    REJECT = "reject"
    RELEASE = "release"
    CLOSE = "close"
    """The pharmacist closed the rest of a partly dispensed prescription."""
    END_CLAIM = "end_claim"
    """The patient, an administrator or a deactivated account ended the claim; the notes state which."""
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class PharmacyPrescription:
    """A prescription, as a pharmacist sees it."""

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
    """An empty list does not mean that there are none: `patient_allergy_status` states what is known."""
    patient_date_of_birth: date | None
    insurance_provider: str
    insurance_number: str
    doctor_license_number: str
    created_at: datetime
    expires_at: datetime
    """When the prescription expires."""
    fulfilled_at: datetime | None
    """When the prescription was dispensed in full."""
    prescriber_inactive: bool | None
    """True if the account of the doctor who wrote it is deactivated; the prescription stays valid."""
    patient_allergy_status: AllergyStatus
    patient_allergies_asked: AllergiesAsked | None
    """None unless the patient was asked and has no known allergies."""
    valid_from: date | None
    """The first day on which it can be dispensed; None if it was valid from its creation."""


@dataclass(frozen=True, slots=True)
class FoundPrescription:
    """A prescription found by a scan or lookup."""

    prescription: PharmacyPrescription
    is_valid: bool
    """Always True: a prescription that is not valid is not found, or raises."""
    can_dispense: bool
    """Whether the caller could now claim and dispense it."""


class FoundPrescriptions(tuple[FoundPrescription, ...]):
    """The prescriptions that a lookup found, newest first."""

    reference_number: str
    """The number as the server read it, in its canonical form."""
    has_more: bool
    """Whether the patient has more open prescriptions than these."""

    def __new__(
        cls, found: Iterable[FoundPrescription] = (), *, reference_number: str = "", has_more: bool = False
    ) -> Self:
        """Creates the tuple."""
        created = super().__new__(cls, found)
        created.reference_number, created.has_more = reference_number, has_more
        return created


@dataclass(frozen=True, slots=True)
class Validation:
    """A new or renewed claim."""

    prescription: PharmacyPrescription
    claim_expires_at: datetime
    """When the claim expires, by the server's clock."""


@dataclass(frozen=True, slots=True)
class EndedClaim:
    """A prescription whose claim was ended."""

    prescription_id: str
    status: PrescriptionStatus


@dataclass(frozen=True, slots=True)
class DispenseLine:
    """A quantity of an item to dispense from one batch."""

    item_id: str
    quantity: int | None
    """Whole units, at most the remaining quantity; None if `exact_quantity` is given. `of` chooses."""
    unit_price: Decimal
    """The price of one unit in the server's currency, at most two decimals."""
    batch_number: str
    expiry_date: date
    """The batch's last day of use."""
    exact_quantity: Decimal | None = None
    """The quantity with at most three decimal places."""
    quantity_unit: QuantityUnit | None = None
    """The unit that is prescribed; the server refuses another one. None: not stated."""
    product_code: str | None = None
    """The code of the package, such as the GTIN that `read_package` finds."""
    dispensed_medicine_name: str | None = None
    """The name of the product given instead of the prescribed medicine; `instead` sets it with its reason."""
    substitution_reason: str | None = None
    """Why another product is given; the patient can read it."""

    @classmethod
    def of(
        cls,
        item_id: str,
        quantity: Decimal,
        unit_price: Decimal,
        batch_number: str,
        expiry_date: date,
        unit: QuantityUnit | None = None,
        product_code: str | None = None,
    ) -> Self:
        """Returns a line; a whole quantity is stated as every server reads it."""
        whole = int(quantity) if quantity == int(quantity) else None
        exact = quantity if whole is None else None
        stated = None if unit is QuantityUnit.UNKNOWN else unit
        return cls(item_id, whole, unit_price, batch_number, expiry_date, exact, stated, product_code)

    def instead(self, medicine_name: str, reason: str) -> Self:
        """Returns the line with another product than the prescribed one, which the item must allow."""
        return replace(self, dispensed_medicine_name=medicine_name, substitution_reason=reason)

    @property
    def amount(self) -> Decimal:
        """The exact quantity of the line."""
        return Decimal(self.quantity or 0) if self.exact_quantity is None else self.exact_quantity


@dataclass(frozen=True, slots=True)
class Dispensing:
    """The result of a dispense."""

    prescription: PharmacyPrescription
    """The prescription after the dispense."""
    total_amount: Decimal
    """The total price of the dispensed lines."""
    currency: str
    """ISO 4217."""


@dataclass(frozen=True, slots=True)
class DispensedLine:
    """A dispensed item."""

    item_id: str
    medicine_name: str
    quantity: int
    """Rounded down to whole units; `amount` is exact."""
    unit_price: Decimal
    line_total: Decimal
    batch_number: str
    expiry_date: date
    pharmacy_name: str
    dispensed_at: datetime
    exact_quantity: Decimal | None = None
    """None from a server that has whole quantities only."""
    quantity_unit: QuantityUnit = QuantityUnit.PIECE
    product_code: str = ""
    dispensed_medicine_name: str = ""
    """The product given instead of `medicine_name`; empty if the prescribed medicine was given."""
    substitution_reason: str = ""

    @property
    def amount(self) -> Decimal:
        """The exact quantity of the line."""
        return Decimal(self.quantity) if self.exact_quantity is None else self.exact_quantity


@dataclass(frozen=True, slots=True)
class DispensingHistoryEntry:
    """An action of the caller's pharmacy."""

    id: str
    action: PharmacyAction
    prescription_id: str
    prescription_number: str
    patient_name: str
    lines: tuple[DispensedLine, ...]
    total_amount: Decimal | None
    """None if nothing was dispensed."""
    currency: str
    notes: str
    occurred_at: datetime
    pharmacist_name: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a prescription's log."""

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
    """The dispensed lines of a prescription."""

    prescription_number: str
    patient_name: str
    status: PrescriptionStatus
    lines: tuple[DispensedLine, ...]
    total_amount: Decimal
    currency: str
    closing_reason: str = ""
    """Why the rest was closed; empty in every other state."""
