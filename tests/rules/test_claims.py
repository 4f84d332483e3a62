"""Tests leases, and whether a pharmacist could go on to dispense."""

from dataclasses import replace
from datetime import timedelta

import pytest

from server.clinical.entities import Claim, PrescriptionStatus
from server.errors import ClaimedByOther, DeclaredError
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

HOLDER, COLLEAGUE, OTHER = a_pharmacist(ROSE), a_pharmacist(ROSE), a_pharmacist(LILY)
ALONE, FORMER = a_pharmacist(None), replace(HOLDER, organisation_id=LILY)


@pytest.mark.parametrize("status", [S.SCANNED, S.PARTIALLY_DISPENSED])
def test_first_claim_lasts_one_lease_and_stores_previous_state(status: PrescriptionStatus) -> None:
    prescription = a_prescription(status=status)
    assert claims.claim(prescription, HOLDER, LEASE) == (S.VALIDATED, Claim(HOLDER.user_id, status, NOW + LEASE, ROSE))


def test_a_claim_taken_in_the_last_minute_outlives_the_validity() -> None:
    prescription = a_prescription(status=S.SCANNED, expires_at=NOW + timedelta(minutes=1))
    _, claim = claims.claim(prescription, HOLDER, LEASE)
    assert claim.expires_at == NOW + LEASE


@pytest.mark.parametrize(
    ("lease_left", "validity_left", "renewed_to"),
    [
        pytest.param(20, 600, 30, id="a renewal gives a whole lease"),
        pytest.param(20, 25, 25, id="a renewal stops at the validity"),
        pytest.param(20, 10, 20, id="a renewal never shortens a lease past the validity"),
        pytest.param(20, -5, 20, id="a renewal after the validity changes nothing"),
        pytest.param(40, 600, 40, id="a renewal never shortens a lease given under a longer setting"),
    ],
)
def test_renewals(lease_left: int, validity_left: int, renewed_to: int) -> None:
    prescription = held(
        a_prescription(expires_at=NOW + timedelta(minutes=validity_left)),
        HOLDER,
        claimed_from=S.PARTIALLY_DISPENSED,
        expires_at=NOW + timedelta(minutes=lease_left),
    )
    renewed = claims.claim(prescription, HOLDER, LEASE)
    assert renewed == (
        S.VALIDATED,
        Claim(HOLDER.user_id, S.PARTIALLY_DISPENSED, NOW + timedelta(minutes=renewed_to), ROSE),
    )


def test_colleague_renews_releases_and_dispenses_the_claim() -> None:
    prescription = held(a_prescription(), HOLDER)
    _, renewed = claims.claim(prescription, COLLEAGUE, LEASE)
    assert (renewed.pharmacist_id, renewed.organisation_id) == (COLLEAGUE.user_id, ROSE)
    assert claims.release(prescription, COLLEAGUE) is S.SCANNED
    assert dispensing.dispense(prescription, COLLEAGUE, [line(prescription.items[0], 1)], TODAY).quantities
    assert dispensing.reject(prescription, COLLEAGUE) is S.REJECTED


def test_former_member_loses_the_claim_of_the_pharmacy() -> None:
    with pytest.raises(ClaimedByOther):
        claims.release(held(a_prescription(), HOLDER), FORMER)


def test_claim_without_pharmacy_stays_with_its_pharmacist() -> None:
    prescription = held(a_prescription(), HOLDER, organisation_id=None)
    assert claims.release(prescription, FORMER) is S.SCANNED
    with pytest.raises(ClaimedByOther):
        claims.release(prescription, COLLEAGUE)
    with pytest.raises(ClaimedByOther):
        claims.release(prescription, ALONE)


def test_a_claim_keeps_others_off_and_says_until_when() -> None:
    prescription = held(a_prescription(), HOLDER)
    with pytest.raises(ClaimedByOther) as refusal:
        claims.claim(prescription, OTHER, LEASE)
    assert refusal.value.metadata == {"state": S.VALIDATED, "claim_expires_at": NOW + timedelta(minutes=20)}


@pytest.mark.parametrize("source", [S.SCANNED, S.PARTIALLY_DISPENSED])
def test_a_release_leads_back_to_where_the_claim_came_from(source: PrescriptionStatus) -> None:
    assert claims.release(held(a_prescription(), HOLDER, claimed_from=source), HOLDER) is source


def test_release_after_validity_leaves_expired_prescription() -> None:
    assert claims.release(held(a_prescription(expires_at=NOW), HOLDER), HOLDER) is S.EXPIRED


@cells("caller", [HOLDER, COLLEAGUE, OTHER, FORMER, ALONE], ids=["holder", "colleague", "other", "former", "alone"])
@cells("status", list(S))
def test_can_dispense_is_the_truth(status: PrescriptionStatus, caller: Caller) -> None:
    prescription = partly_dispensed(a_prescription(status=status))
    if status is S.VALIDATED:
        prescription = held(prescription, HOLDER)
    could = True
    try:
        status, claim = claims.claim(prescription, caller, LEASE)
        mine = replace(prescription, status=status, claim=claim)
        dispensing.dispense(mine, caller, [line(mine.items[0], 1)], TODAY)
    except DeclaredError:
        could = False
    assert claims.can_dispense(prescription, caller) is could


def test_can_dispense_without_recent_scan_only_for_claim_holder() -> None:
    assert not claims.can_dispense(a_prescription(status=S.SCANNED), HOLDER, recently_seen=False)
    assert claims.can_dispense(held(a_prescription(), HOLDER), HOLDER, recently_seen=False)
