"""Who holds a prescription, and until when.

Plain functions over a prescription as it stands at `as_of`: they answer what becomes of it, or raise why nothing may.
A lease that is over is no claim any more when a prescription gets here. Source: the product contract (states).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from server.clinical.entities import Claim, Prescription, PrescriptionStatus
from server.clinical.rules.prescribing import check_not_final
from server.errors import ClaimedByOther, PrescriptionInState

CLAIMABLE: Final = frozenset({PrescriptionStatus.SCANNED, PrescriptionStatus.PARTIALLY_DISPENSED})
"""The states that a claim starts from, and returns to."""


def require_holder(prescription: Prescription, pharmacist_id: UUID) -> Claim:
    """The claim that this pharmacist has. Raises the errors of final states, PrescriptionInState, ClaimedByOther."""
    check_not_final(prescription)
    claim = prescription.claim
    if claim is None:
        raise PrescriptionInState(state=prescription.status)
    if claim.pharmacist_id != pharmacist_id:
        raise ClaimedByOther(state=prescription.status, claim_expires_at=claim.expires_at)
    return claim


def claim(prescription: Prescription, pharmacist_id: UUID, lease: timedelta) -> Claim:
    """The claim that validating gives.

    A claim taken in time may be finished until its lease ends, past the prescription's validity too; a renewal never
    goes past the validity, and never shortens the lease. Raises the errors of final states, PrescriptionInState,
    ClaimedByOther.
    """
    check_not_final(prescription)
    if prescription.status in CLAIMABLE:
        return Claim(pharmacist_id, prescription.status, prescription.as_of + lease)
    present = require_holder(prescription, pharmacist_id)
    renewed = min(prescription.as_of + lease, prescription.expires_at)
    return replace(present, expires_at=max(present.expires_at, renewed))


def release(prescription: Prescription, pharmacist_id: UUID) -> PrescriptionStatus:
    """The state that giving the claim back leads to. Raises as `held_by` does."""
    return status_without_claim(prescription, require_holder(prescription, pharmacist_id).claimed_from)


def status_without_claim(prescription: Prescription, status: PrescriptionStatus) -> PrescriptionStatus:
    """What an open state amounts to once no claim keeps the prescription alive: past its validity it is expired."""
    return PrescriptionStatus.EXPIRED if prescription.expires_at <= prescription.as_of else status


def can_dispense(prescription: Prescription, pharmacist_id: UUID, recently_seen: bool = True) -> bool:
    """Whether this pharmacist could now go on to dispense: he holds the claim, or could take it.

    recently_seen: whether he scanned it or looked it up within the time that validating asks for.
    """
    if prescription.claim is not None:
        return prescription.claim.pharmacist_id == pharmacist_id
    return recently_seen and prescription.status in CLAIMABLE
