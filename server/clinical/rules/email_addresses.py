"""Rules of the email address of a patient record: who may bind, keep or detach one."""

from enum import Enum, auto
from uuid import UUID

from server import email_address
from server.clinical.entities import Patient
from server.errors import EmailBindingRequired, PatientHasEmail


class Detachment(Enum):
    """The result of a doctor's call to detach an address."""

    REQUESTED = auto()
    """The owner had confirmed the address: another doctor must confirm the request."""
    WAITING = auto()
    """The caller has requested it before."""
    DONE = auto()


def check_unbound(patient: Patient) -> None:
    """Raises PatientHasEmail if the record has an account, even one whose address is not confirmed yet."""
    if patient.user_id is not None:
        raise PatientHasEmail()


def check_same_email(patient: Patient, email: str | None) -> None:
    """Raises EmailBindingRequired, which names the method to call, if an update states another address."""
    if email is None or email_address.normal(email) == patient.email:
        return
    raise EmailBindingRequired(method="BindPatientEmail" if patient.user_id is None else "DetachPatientEmail")


def next_step(patient: Patient, doctor_id: UUID) -> Detachment:
    """Returns what a doctor's call to detach the record's address leads to."""
    if patient.email_confirmed_at is None:
        return Detachment.DONE
    if patient.detachment is None:
        return Detachment.REQUESTED
    return Detachment.WAITING if patient.detachment.requested_by == doctor_id else Detachment.DONE
