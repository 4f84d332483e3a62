"""Rules of the doctor's actions: when a prescription may be cancelled, its code replaced, its email sent."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Final

from server import name_search
from server.audit.audit_context import Subject
from server.auth.entities import User
from server.clinical.entities import Claim, PatientEmailStatus, Prescription, PrescriptionStatus
from server.errors import (
    FailedPrecondition,
    NotYetValid,
    PatientHasNoEmail,
    PrescriptionCancelled,
    PrescriptionClaimed,
    PrescriptionClosed,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionInState,
    PrescriptionRejected,
    PrescriptionSuspended,
    RecipientDeactivated,
)
from server.identity import Caller
from server.outbox.entities import EmailKind, NewEmail

FINAL_STATES: Final[Mapping[PrescriptionStatus, type[FailedPrecondition]]] = {
    PrescriptionStatus.DISPENSED: PrescriptionDispensed,
    PrescriptionStatus.REJECTED: PrescriptionRejected,
    PrescriptionStatus.CANCELLED: PrescriptionCancelled,
    PrescriptionStatus.EXPIRED: PrescriptionExpired,
    PrescriptionStatus.CLOSED: PrescriptionClosed,
}
"""The final states, each with the error that rejects further actions."""


def subject_of(prescription: Prescription) -> Subject:
    """Returns the audit subject of an action on the prescription."""
    return Subject("prescription", prescription.id, (prescription.patient_id,))


def names_controlled(medicines: Iterable[str], controlled: Set[str]) -> bool:
    """Returns whether a medicine's name contains the words of a controlled one, without regard to case and accents.

    `Codeine phosphate 15 mg` contains `codeine`.
    """
    wanted = [set(name_search.words(name)) for name in controlled]
    named = [set(name_search.words(medicine)) for medicine in medicines] if wanted else []
    return any(words <= found for words in wanted for found in named)


def check_not_final(prescription: Prescription) -> None:
    """Raises PrescriptionDispensed, -Rejected, -Cancelled, -Expired or -Closed if the state is final."""
    refusal = FINAL_STATES.get(prescription.status)
    if refusal is not None:
        raise refusal(state=prescription.status, changed_at=prescription.changed_at)


def check_not_suspended(prescription: Prescription) -> None:
    """Raises as `check_not_final` does, and PrescriptionSuspended if the prescription is suspended."""
    check_not_final(prescription)
    if prescription.suspended_at is not None:
        raise PrescriptionSuspended(state=prescription.status, suspended_at=prescription.suspended_at)


def check_usable(prescription: Prescription) -> None:
    """Raises as `check_not_suspended` does, and NotYetValid before the day on which the validity begins.

    Every action of a pharmacy needs it.
    """
    check_not_suspended(prescription)
    validity = prescription.later_validity
    if validity is not None and prescription.as_of < validity.starts_at:
        raise NotYetValid(validity.valid_from)


def check_resumable(prescription: Prescription) -> None:
    """Raises as `check_not_final` does, and PrescriptionInState if the prescription is not suspended."""
    check_not_final(prescription)
    if prescription.suspended_at is None:
        raise PrescriptionInState(state=prescription.status)


def as_seen_by(caller: Caller, prescription: Prescription) -> Prescription:
    """Returns the prescription without the notes that only its doctor may read."""
    return prescription if prescription.doctor_id == caller.user_id else replace(prescription, doctor_notes="")


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
