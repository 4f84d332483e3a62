"""The doctor's side of the state table: when a prescription may be cancelled, its code replaced, its mail sent."""

from collections.abc import Mapping
from typing import Final

from server.audit.audit_context import Subject
from server.auth.entities import User
from server.clinical.entities import Claim, PatientEmailStatus, Prescription, PrescriptionStatus
from server.errors import (
    FailedPrecondition,
    PatientHasNoEmail,
    PrescriptionCancelled,
    PrescriptionClaimed,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionRejected,
    RecipientDeactivated,
)
from server.outbox.entities import EmailKind, NewEmail

FINAL_STATES: Final[Mapping[PrescriptionStatus, type[FailedPrecondition]]] = {
    PrescriptionStatus.DISPENSED: PrescriptionDispensed,
    PrescriptionStatus.REJECTED: PrescriptionRejected,
    PrescriptionStatus.CANCELLED: PrescriptionCancelled,
    PrescriptionStatus.EXPIRED: PrescriptionExpired,
}
"""The states that nothing leads out of, with the error that refuses to try."""


def subject_of(prescription: Prescription) -> Subject:
    """What the audit says that an action on it is about."""
    return Subject("prescription", prescription.id, (prescription.patient_id,))


def check_not_final(prescription: Prescription) -> None:
    """Raise PrescriptionDispensed, -Rejected, -Cancelled or -Expired if nothing can happen to it any more."""
    refusal = FINAL_STATES.get(prescription.status)
    if refusal is not None:
        raise refusal(state=prescription.status, changed_at=prescription.changed_at)


def claimed_refusal(claim: Claim, pharmacist: User) -> PrescriptionClaimed:
    """Why it cannot be cancelled now, with what its doctor needs in order to call the pharmacy."""
    return PrescriptionClaimed(
        state=PrescriptionStatus.VALIDATED,
        pharmacy_name=pharmacist.pharmacy_name,
        pharmacy_phone=pharmacist.phone,
        claim_expires_at=claim.expires_at,
    )


def mail_to_patient(kind: EmailKind, prescription: Prescription, **details: str) -> NewEmail:
    """Returns an email about it to its patient. Raises PatientHasNoEmail and RecipientDeactivated."""
    if prescription.patient_email_status is PatientEmailStatus.ACCOUNT_DEACTIVATED:
        raise RecipientDeactivated()
    if prescription.patient_user_id is None or not prescription.patient_email:  # none, or none that is confirmed
        raise PatientHasNoEmail()
    return NewEmail(kind, prescription.patient_user_id, prescription.patient_email, prescription.id, details)
