"""Rules of the doctor's actions: when a prescription may be cancelled, its code replaced, its email sent."""

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
"""The final states, each with the error that rejects further actions."""


def subject_of(prescription: Prescription) -> Subject:
    """Returns the audit subject of an action on the prescription."""
    return Subject("prescription", prescription.id, (prescription.patient_id,))


def check_not_final(prescription: Prescription) -> None:
    """Raises PrescriptionDispensed, -Rejected, -Cancelled or -Expired if the prescription is in a final state."""
    refusal = FINAL_STATES.get(prescription.status)
    if refusal is not None:
        raise refusal(state=prescription.status, changed_at=prescription.changed_at)


def claimed_refusal(claim: Claim, pharmacist: User) -> PrescriptionClaimed:
    """Returns the error that rejects cancelling, with the name and phone number of the pharmacy for the doctor."""
    return PrescriptionClaimed(
        state=PrescriptionStatus.VALIDATED,
        pharmacy_name=pharmacist.pharmacy_name,
        pharmacy_phone=pharmacist.phone,
        claim_expires_at=claim.expires_at,
    )


def mail_to_patient(kind: EmailKind, prescription: Prescription, **details: str) -> NewEmail:
    """Returns an email about the prescription to its patient. Raises PatientHasNoEmail and RecipientDeactivated."""
    if prescription.patient_email_status is PatientEmailStatus.ACCOUNT_DEACTIVATED:
        raise RecipientDeactivated()
    if prescription.patient_user_id is None or not prescription.patient_email:  # no address, or an unconfirmed one
        raise PatientHasNoEmail()
    return NewEmail(kind, prescription.patient_user_id, prescription.patient_email, prescription.id, details)
