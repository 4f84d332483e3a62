"""Rules of claims: the right of one pharmacy to dispense a prescription until a lease ends.

Pure functions over a prescription as it is at `as_of`: they return its next state or claim, or raise the reason for
refusal. A `Prescription` never carries an expired claim. Source: the domain page (states).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from server.clinical.entities import Claim, Prescription, PrescriptionStatus
from server.clinical.rules.prescribing import check_not_final, check_usable
from server.errors import ClaimedByOther, ClaimLimitReached, PrescriptionInState
from server.identity import Caller, Role
from server.pharmacy.entities import ClaimCounts, ClaimLimits

CLAIMABLE: Final = frozenset({PrescriptionStatus.SCANNED, PrescriptionStatus.PARTIALLY_DISPENSED})
"""The states in which a prescription can be claimed; it returns to the same state afterwards."""


def require_holder(prescription: Prescription, caller: Caller) -> Claim:
    """Returns the claim of the caller's pharmacy.

    Raises the errors of final states, PrescriptionInState, ClaimedByOther.
    """
    check_usable(prescription)
    claim = _require_claim(prescription)
    if not _is_holder(claim, caller):
        raise ClaimedByOther(state=prescription.status, claim_expires_at=claim.expires_at)
    return claim


def claim(prescription: Prescription, caller: Caller, lease: timedelta) -> tuple[PrescriptionStatus, Claim]:
    """Returns the state after validating, and the claim that it takes or renews.

    A claim taken within the prescription's validity may be used until its lease ends, even if the validity ends
    meanwhile; a renewal never extends beyond the validity, and never shortens the lease. Raises the errors of final
    states, PrescriptionInState, ClaimedByOther.
    """
    check_usable(prescription)
    if prescription.status in CLAIMABLE:
        ends = prescription.as_of + lease
        first = Claim(caller.user_id, prescription.status, ends, caller.organisation_id)
        return PrescriptionStatus.VALIDATED, first
    current = require_holder(prescription, caller)
    renewed = max(current.expires_at, min(prescription.as_of + lease, prescription.expires_at))
    return prescription.status, replace(current, pharmacist_id=caller.user_id, expires_at=renewed)


def release(prescription: Prescription, caller: Caller) -> PrescriptionStatus:
    """Returns the state after the claim is released. Raises as `require_holder` does."""
    return status_without_claim(prescription, require_holder(prescription, caller).claimed_from)


def end_claim(prescription: Prescription, caller: Caller) -> tuple[PrescriptionStatus, Claim]:
    """Returns the state after the patient or an administrator of the pharmacy ends the claim, and the claim.

    The caller is the prescription's patient or an administrator of their pharmacy. Raises the errors of final states,
    PrescriptionInState, ClaimedByOther.
    """
    is_patient = caller.role is Role.PATIENT
    claim = _require_claim(prescription) if is_patient else require_holder(prescription, caller)
    return status_without_claim(prescription, claim.claimed_from), claim


def check_limits(counts: ClaimCounts, limits: ClaimLimits) -> None:
    """Raises ClaimLimitReached if the claim that was taken last exceeds a limit of its pharmacist."""
    if counts.open_claims > limits.open_claims:
        raise ClaimLimitReached(limit="open_claims", maximum=limits.open_claims)
    if counts.claims_of_prescription > limits.renewals + 1:
        raise ClaimLimitReached(limit="renewals", maximum=limits.renewals)


def status_without_claim(prescription: Prescription, status: PrescriptionStatus) -> PrescriptionStatus:
    """Returns the state without a claim: expired after the end of the validity, otherwise the given open state."""
    return PrescriptionStatus.EXPIRED if prescription.expires_at <= prescription.as_of else status


def can_dispense(prescription: Prescription, caller: Caller, recently_seen: bool = True) -> bool:
    """Returns whether this pharmacist could dispense now: their pharmacy holds the claim, or they could take it.

    recently_seen: whether they scanned it or looked it up within the time that validating requires.
    """
    if prescription.claim is not None:
        return _is_holder(prescription.claim, caller)
    return recently_seen and prescription.status in CLAIMABLE


def _require_claim(prescription: Prescription) -> Claim:
    check_not_final(prescription)
    if prescription.claim is None:
        raise PrescriptionInState(state=prescription.status)
    return prescription.claim


def _is_holder(claim: Claim, caller: Caller) -> bool:
    """Returns whether the caller acts for the pharmacy that holds a claim; a former member of it does not."""
    if claim.organisation_id is None:
        return claim.pharmacist_id == caller.user_id
    return claim.organisation_id == caller.organisation_id
