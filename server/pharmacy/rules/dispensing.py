"""State transitions of a prescription when it is scanned, rejected, dispensed or closed.

| from                                  | action           | to                                |
|---------------------------------------|------------------|-----------------------------------|
| pending, scanned                      | scan, lookup     | scanned                           |
| validated, partially dispensed        | scan, lookup     | unchanged                         |
| scanned, partially dispensed          | validate         | validated: the pharmacy's claim   |
| validated                             | holder validates | validated, the lease renewed      |
| validated                             | holder releases  | the state before the claim        |
| validated                             | holder dispenses | dispensed or partially dispensed  |
| scanned, validated, nothing dispensed | reject           | rejected                          |
| partially dispensed, or validated     | close            | closed                            |
| after a part was dispensed            |                  |                                   |

Every other combination raises the error of a final state, ClaimedByOther or PrescriptionInState, and each action on a
suspended prescription PrescriptionSuspended. Claims are in `claims.py`. Pure functions over values. Source: the domain
page (states).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from server.clinical.entities import Prescription, PrescriptionItem, PrescriptionStatus, QrCode
from server.clinical.quantities import in_words, price_of
from server.clinical.rules.prescribing import check_usable
from server.errors import (
    FieldViolation,
    PrescriptionInState,
    QrCodeExpired,
    QrCodeInvalid,
    QrCodeReplaced,
    ValidationFailed,
)
from server.identity import Caller
from server.pharmacy.entities import DispenseLine, Dispensing
from server.pharmacy.rules.claims import require_holder, status_without_claim

MAX_UNIT_PRICE: Final = Decimal(1_000_000)
LATEST_EXPIRY_DATE: Final = date(2100, 12, 31)

_CENT: Final = Decimal("0.01")


def check_code(prescription: Prescription, code: QrCode | None) -> None:
    """Checks the stored code that a scanned text names; `code` is None if there is none.

    Raises QrCodeInvalid, QrCodeReplaced, the errors of final states, QrCodeExpired.
    """
    if code is None or code.prescription_id != prescription.id:
        raise QrCodeInvalid()
    if code.replaced_at is not None:
        raise QrCodeReplaced()
    check_usable(prescription)
    if code.expires_at <= prescription.as_of:
        raise QrCodeExpired(expired_at=code.expires_at)


def status_after_scan(prescription: Prescription) -> PrescriptionStatus:
    """Returns the state after a scan or lookup. Raises the errors of final states."""
    check_usable(prescription)
    if prescription.status is PrescriptionStatus.PENDING:
        return PrescriptionStatus.SCANNED
    return prescription.status


def reject(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    """Returns the state after a rejection. Raises the errors of final states, ClaimedByOther, PrescriptionInState."""
    check_usable(prescription)
    if prescription.status is not PrescriptionStatus.SCANNED:
        require_holder(prescription, caller)
    if any(item.dispensed_quantity for item in prescription.items):
        raise PrescriptionInState(state=prescription.status)
    return PrescriptionStatus.REJECTED


def close(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    """Returns the state after the rest of a partly dispensed prescription is closed.

    Raises the errors of final states, ClaimedByOther, PrescriptionInState.
    """
    check_usable(prescription)
    if prescription.status is not PrescriptionStatus.PARTIALLY_DISPENSED:
        require_holder(prescription, caller)
    if not any(item.dispensed_quantity for item in prescription.items):
        raise PrescriptionInState(state=prescription.status)
    return PrescriptionStatus.CLOSED


def dispense(prescription: Prescription, caller: Caller, lines: Sequence[DispenseLine], today: date) -> Dispensing:
    """Returns the result of dispensing these lines of a prescription that the caller's pharmacy has claimed.

    today: the calendar day at the hospital. Raises the errors of final states, ClaimedByOther, PrescriptionInState, and
    ValidationFailed with every violation of every line.
    """
    require_holder(prescription, caller)
    violations = list(_violations(prescription, lines, today))
    if violations:
        raise ValidationFailed(violations=violations)
    quantities: dict[UUID, Decimal] = {}
    for line in lines:
        quantities[line.item_id] = quantities.get(line.item_id, Decimal(0)) + line.quantity
    items = tuple(
        replace(item, dispensed_quantity=item.dispensed_quantity + quantities.get(item.id, Decimal(0)))
        for item in prescription.items
    )
    if any(item.remaining_quantity for item in items):
        status = status_without_claim(prescription, PrescriptionStatus.PARTIALLY_DISPENSED)
    else:
        status = PrescriptionStatus.DISPENSED
    total = sum((price_of(line.quantity, line.unit_price) for line in lines), Decimal(0))
    return Dispensing(status, items, quantities, total)


def substitute_in(line: DispenseLine, medicine_name: str) -> str:
    """Returns the name of the product given instead of the prescribed medicine; empty if that medicine is given."""
    name = line.dispensed_medicine_name
    return "" if _folded(name) == _folded(medicine_name) else name


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _violations(prescription: Prescription, lines: Sequence[DispenseLine], today: date) -> Iterator[FieldViolation]:
    items = {item.id: item for item in prescription.items}
    left = {item.id: item.remaining_quantity for item in prescription.items}
    for position, line in enumerate(lines):
        faults = [*_item_faults(line, items.get(line.item_id), left), *_batch_faults(line, today)]
        for field, message in faults:
            yield FieldViolation(f"items[{position}].{field}", message)
        if line.item_id in left:
            left[line.item_id] = max(left[line.item_id] - line.quantity, Decimal(0))


def _item_faults(
    line: DispenseLine, item: PrescriptionItem | None, left: Mapping[UUID, Decimal]
) -> Iterator[tuple[str, str]]:
    """Yields what is wrong with a line; `left` holds what the lines before it leave open of each item."""
    if item is None:
        yield "itemId", "must name an item of this prescription"
    elif not 0 < line.quantity <= left[item.id]:
        still_open = in_words(left[item.id], item.quantity_unit)
        yield "quantity", f"must be above 0 and at most what is still open: {still_open}"
    elif line.quantity_unit not in (None, item.quantity_unit):
        yield "quantityUnit", f"must be the unit that is prescribed: {item.quantity_unit}"
    if item is not None:
        yield from _substitution_faults(line, item)


def _substitution_faults(line: DispenseLine, item: PrescriptionItem) -> Iterator[tuple[str, str]]:
    substitute = substitute_in(line, item.medicine_name)
    if substitute and not item.substitution_allowed:
        yield "dispensedMedicineName", f"must be left out: the doctor allows no substitute for {item.medicine_name}"
    elif substitute and not line.substitution_reason:
        yield "substitutionReason", "must be given, because another product than the prescribed one is given"
    elif line.substitution_reason and not substitute:
        yield "dispensedMedicineName", "must name another product than the prescribed one, because a reason is given"


def _batch_faults(line: DispenseLine, today: date) -> Iterator[tuple[str, str]]:
    if not _is_price(line.unit_price):
        yield "unitPrice", f"must be 0 to {MAX_UNIT_PRICE} with at most two decimals"
    if not today <= line.expiry_date <= LATEST_EXPIRY_DATE:
        yield "expiryDate", f"must be {today} to {LATEST_EXPIRY_DATE}"


def _is_price(price: Decimal) -> bool:
    return price.is_finite() and 0 <= price <= MAX_UNIT_PRICE and price == price.quantize(_CENT)
