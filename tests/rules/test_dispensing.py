"""Tests the state table, the lines of a dispense, and scanned codes as pure rules."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from server.clinical.entities import Prescription, PrescriptionStatus
from server.db.identifiers import new_id
from server.errors import (
    ClaimedByOther,
    DeclaredError,
    PrescriptionCancelled,
    PrescriptionClosed,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionInState,
    PrescriptionRejected,
    QrCodeExpired,
    QrCodeInvalid,
    QrCodeReplaced,
    ValidationFailed,
)
from server.identity import Caller
from server.pharmacy.rules import claims, dispensing
from tests.fixtures.cells import cells
from tests.fixtures.prescriptions import (
    LEASE,
    LILY,
    NOW,
    ROSE,
    TODAY,
    a_pharmacist,
    a_prescription,
    held,
    line,
    partly_dispensed,
)

S = PrescriptionStatus
Outcome = PrescriptionStatus | type[DeclaredError]

HOLDER, OTHER = a_pharmacist(ROSE), a_pharmacist(LILY)


def _validate(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    claims.claim(prescription, caller, LEASE)
    return S.VALIDATED


def _dispense_all(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    lines = [line(item) for item in prescription.items]
    return dispensing.dispense(prescription, caller, lines, TODAY).status


def _dispense_some(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    return dispensing.dispense(prescription, caller, [line(prescription.items[0], 1)], TODAY).status


def _scan(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    return dispensing.status_after_scan(prescription)


ACTIONS: dict[str, Callable[[Prescription, Caller], PrescriptionStatus]] = {
    "scan": _scan,
    "validate": _validate,
    "dispense all": _dispense_all,
    "dispense some": _dispense_some,
    "reject": dispensing.reject,
    "release": claims.release,
    "close": dispensing.close,
}

STATES: dict[str, Prescription] = {
    "pending": a_prescription(),
    "scanned": a_prescription(status=S.SCANNED),
    "validated": held(a_prescription(), HOLDER),
    "validated again": held(partly_dispensed(a_prescription()), HOLDER, claimed_from=S.PARTIALLY_DISPENSED),
    "partially dispensed": partly_dispensed(a_prescription(status=S.PARTIALLY_DISPENSED)),
    "dispensed": a_prescription(status=S.DISPENSED),
    "rejected": a_prescription(status=S.REJECTED),
    "cancelled": a_prescription(status=S.CANCELLED),
    "expired": a_prescription(status=S.EXPIRED),
    "closed": partly_dispensed(a_prescription(status=S.CLOSED)),
}

REFUSED = PrescriptionInState
TAKEN = ClaimedByOther
TABLE: dict[str, tuple[Outcome, ...]] = {
    # Columns: scan, validate, dispense all, dispense some, reject, release, close.
    "pending": (S.SCANNED, *(REFUSED,) * 6),
    "scanned": (S.SCANNED, S.VALIDATED, REFUSED, REFUSED, S.REJECTED, REFUSED, REFUSED),
    "validated": (S.VALIDATED, S.VALIDATED, S.DISPENSED, S.PARTIALLY_DISPENSED, S.REJECTED, S.SCANNED, REFUSED),
    "validated again": (
        S.VALIDATED, S.VALIDATED, S.DISPENSED, S.PARTIALLY_DISPENSED, REFUSED, S.PARTIALLY_DISPENSED, S.CLOSED
    ),
    "partially dispensed": (S.PARTIALLY_DISPENSED, S.VALIDATED, REFUSED, REFUSED, REFUSED, REFUSED, S.CLOSED),
    "dispensed": (PrescriptionDispensed,) * 7,
    "rejected": (PrescriptionRejected,) * 7,
    "cancelled": (PrescriptionCancelled,) * 7,
    "expired": (PrescriptionExpired,) * 7,
    "closed": (PrescriptionClosed,) * 7,
}  # fmt: skip
TABLE_OF_OTHERS: dict[str, tuple[Outcome, ...]] = {
    **TABLE,
    "validated": (S.VALIDATED, *(TAKEN,) * 6),
    "validated again": (S.VALIDATED, *(TAKEN,) * 6),
}

CASES = [
    pytest.param(state, action, actor, outcome, id=f"{name} {action}, {state}")
    for name, actor, table in (("holder", HOLDER, TABLE), ("other", OTHER, TABLE_OF_OTHERS))
    for state, outcomes in table.items()
    for action, outcome in zip(ACTIONS, outcomes, strict=True)
]


def test_the_table_covers_every_state_action_and_actor() -> None:
    assert len(CASES) == 2 * len(STATES) * len(ACTIONS) == 140
    assert {prescription.status for prescription in STATES.values()} == set(S)


@cells(("state", "action", "actor", "outcome"), CASES)
def test_every_action_leads_where_the_table_says(state: str, action: str, actor: Caller, outcome: Outcome) -> None:
    prescription = STATES[state]
    if isinstance(outcome, PrescriptionStatus):
        assert ACTIONS[action](prescription, actor) is outcome
        return
    with pytest.raises(DeclaredError) as refusal:
        ACTIONS[action](prescription, actor)
    assert type(refusal.value) is outcome
    assert refusal.value.metadata == _expected_metadata(outcome, prescription)


def _expected_metadata(outcome: type[DeclaredError], prescription: Prescription) -> dict[str, object]:
    if outcome is REFUSED:
        return {"state": prescription.status}
    if outcome is TAKEN:
        assert prescription.claim is not None
        return {"state": prescription.status, "claim_expires_at": prescription.claim.expires_at}
    return {"state": prescription.status, "changed_at": prescription.changed_at}


def test_a_dispense_reports_quantities_items_and_total() -> None:
    prescription = held(partly_dispensed(a_prescription()), HOLDER)
    first, second = prescription.items
    lines = [line(first, 3, unit_price=Decimal("0.10")), line(second, 10, unit_price=Decimal("2.5"))]
    outcome = dispensing.dispense(prescription, HOLDER, lines, TODAY)
    assert outcome.status is S.PARTIALLY_DISPENSED
    assert outcome.quantities == {first.id: 3, second.id: 10}
    assert [item.dispensed_quantity for item in outcome.items] == [8, 10]
    assert outcome.total_amount == Decimal("25.30")


def test_the_last_open_unit_completes_a_prescription() -> None:
    prescription = held(partly_dispensed(a_prescription()), HOLDER)
    first, second = prescription.items
    most = dispensing.dispense(prescription, HOLDER, [line(first, 15), line(second, 9)], TODAY)
    rest = held(replace(prescription, items=most.items), HOLDER)
    outcome = dispensing.dispense(rest, HOLDER, [line(rest.items[1], 1)], TODAY)
    assert (most.status, outcome.status) == (S.PARTIALLY_DISPENSED, S.DISPENSED)


def test_partial_dispense_after_validity_leaves_it_expired() -> None:
    prescription = held(a_prescription(expires_at=NOW), HOLDER)
    assert _dispense_some(prescription, HOLDER) is S.EXPIRED
    assert _dispense_all(prescription, HOLDER) is S.DISPENSED


def test_every_violation_of_every_line_is_named_at_once() -> None:
    prescription = held(partly_dispensed(a_prescription()), HOLDER)
    first, second = prescription.items
    lines = [
        line(first, 16),
        line(first, 1, unit_price=Decimal("1.001")),
        line(second, 0, expiry_date=TODAY - timedelta(days=1), unit_price=Decimal("-0.01")),
        replace(line(second), item_id=new_id(), expiry_date=date(2101, 1, 1)),
    ]
    with pytest.raises(ValidationFailed) as refusal:
        dispensing.dispense(prescription, HOLDER, lines, TODAY)
    assert [violation.field for violation in refusal.value.violations] == [
        "items[0].quantity",
        "items[1].quantity",
        "items[1].unitPrice",
        "items[2].quantity",
        "items[2].unitPrice",
        "items[2].expiryDate",
        "items[3].itemId",
        "items[3].expiryDate",
    ]


def test_batches_of_an_item_together_give_at_most_what_is_open() -> None:
    prescription = held(partly_dispensed(a_prescription()), HOLDER)
    first, second = prescription.items
    batches = [line(first, Decimal("7.5")), line(second, 4), line(first, Decimal("7.5"), batch_number="B-2")]
    outcome = dispensing.dispense(prescription, HOLDER, batches, TODAY)
    assert outcome.quantities == {first.id: 15, second.id: 4}
    assert (outcome.status, [item.remaining_quantity for item in outcome.items]) == (
        S.PARTIALLY_DISPENSED,
        [Decimal(0), Decimal(6)],
    )
    batches[2] = line(first, Decimal("7.501"), batch_number="B-2")
    with pytest.raises(ValidationFailed) as refusal:
        dispensing.dispense(prescription, HOLDER, batches, TODAY)
    (violation,) = refusal.value.violations
    assert violation.field == "items[2].quantity"
    assert violation.message.endswith("what is still open: 7.5 tablets")


NEEDED = "items[0].substitutionReason"
WRONG = "items[0].dispensedMedicineName"


@pytest.mark.parametrize(
    ("name", "reason", "allowed", "violated"),
    [
        ("", "", True, []),
        ("", "", False, []),
        ("Amoxi-Gen 500", "not in stock", True, []),
        ("Amoxi-Gen 500", "not in stock", False, [WRONG]),
        ("Amoxi-Gen 500", "", True, [NEEDED]),
        ("Amoxi-Gen 500", "", False, [WRONG]),
        ("", "not in stock", True, [WRONG]),
        ("", "not in stock", False, [WRONG]),
        ("AMOXICILLIN  forte ", "", True, []),
        ("Amoxicillin Forte", "", False, []),
        (" amoxicillin forte", "not in stock", True, [WRONG]),
    ],
)
def test_substitute_and_reason_need_each_other_and_leave(
    name: str, reason: str, *, allowed: bool, violated: list[str]
) -> None:
    prescription = a_prescription()
    item = replace(prescription.items[0], medicine_name="Amoxicillin Forte", substitution_allowed=allowed)
    given = line(item, dispensed_medicine_name=name, substitution_reason=reason)
    ours = held(replace(prescription, items=(item,)), HOLDER)
    if not violated:
        assert dispensing.dispense(ours, HOLDER, [given], TODAY).status is S.DISPENSED
        assert dispensing.substitute_in(given, item.medicine_name) == ("Amoxi-Gen 500" if reason else "")
        return
    with pytest.raises(ValidationFailed) as refusal:
        dispensing.dispense(ours, HOLDER, [given], TODAY)
    assert [violation.field for violation in refusal.value.violations] == violated


@pytest.mark.parametrize("quantity", [-1, 0, 21])
def test_quantity_outside_the_open_range_is_rejected(quantity: int) -> None:
    assert _violated(quantity=quantity) == ["items[0].quantity"]


@pytest.mark.parametrize("price", ["-0.01", "1000000.01", "0.001", "NaN", "Infinity", "1e20"])
def test_a_price_that_is_none_is_refused(price: str) -> None:
    assert _violated(unit_price=Decimal(price)) == ["items[0].unitPrice"]


@pytest.mark.parametrize("price", ["0", "0.01", "12.5", "1000000", "1000000.00"])
def test_prices_from_nothing_to_a_million_pass(price: str) -> None:
    assert _violated(unit_price=Decimal(price)) == []


def test_a_batch_may_be_used_on_its_last_day_and_not_after() -> None:
    assert _violated(expiry_date=TODAY) == []
    assert _violated(expiry_date=TODAY - timedelta(days=1)) == ["items[0].expiryDate"]


def _violated(**changes: Any) -> list[str]:
    prescription = held(a_prescription(), HOLDER)
    try:
        dispensing.dispense(prescription, HOLDER, [line(prescription.items[0], **changes)], TODAY)
    except ValidationFailed as refusal:
        return [violation.field for violation in refusal.violations]
    return []


def test_an_open_code_of_an_open_prescription_passes() -> None:
    prescription = a_prescription()
    dispensing.check_code(prescription, prescription.qr_code)


def test_unknown_code_or_code_of_other_prescription_is_invalid() -> None:
    prescription = a_prescription()
    for code in (None, a_prescription().qr_code):
        with pytest.raises(QrCodeInvalid):
            dispensing.check_code(prescription, code)


def test_replaced_code_is_rejected_as_replaced_even_if_expired() -> None:
    prescription = a_prescription()
    code = replace(prescription.qr_code, replaced_at=NOW, expires_at=NOW)
    with pytest.raises(QrCodeReplaced):
        dispensing.check_code(prescription, code)


def test_code_expires_at_its_exact_time_by_database_clock() -> None:
    prescription = a_prescription()
    last_moment = replace(prescription.qr_code, expires_at=NOW + timedelta(microseconds=1))
    dispensing.check_code(prescription, last_moment)
    with pytest.raises(QrCodeExpired) as refusal:
        dispensing.check_code(prescription, replace(prescription.qr_code, expires_at=NOW))
    assert refusal.value.metadata == {"expired_at": NOW}


def test_final_state_is_reported_before_the_expiry_of_its_code() -> None:
    prescription = a_prescription(status=S.DISPENSED)
    with pytest.raises(PrescriptionDispensed):
        dispensing.check_code(prescription, replace(prescription.qr_code, expires_at=NOW))
