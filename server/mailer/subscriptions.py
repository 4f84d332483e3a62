"""Maps events to the emails that they cause: pure functions over values."""

import json

from server.auth.events import (
    AccountEvent,
    ManyPatientsRead,
    OtpRequested,
    PasswordChanged,
    SecondFactorChanged,
    StaffAccountOpened,
    UnfamiliarSignIn,
    UserRegistered,
)
from server.clinical.entities import PatientEmailStatus, Prescription
from server.clinical.events import (
    PrescriptionCancelled,
    PrescriptionClosed,
    PrescriptionCreated,
    PrescriptionDispensed,
    PrescriptionRejected,
    PrescriptionResumed,
    PrescriptionSuspended,
)
from server.clinical.rules.prescribing import mail_to_patient
from server.events.catalog import Event
from server.mailer.events import AdminTestEvent
from server.outbox.entities import EmailKind, NewEmail


def emails_of(event: Event) -> tuple[NewEmail, ...]:
    """Returns the emails that an event causes; patients without an address or with a deactivated account get none."""
    match event:
        case AdminTestEvent(user, named, data):
            details = {"event_type": named, "data": json.dumps(dict(data), ensure_ascii=False)}
            return (NewEmail(EmailKind.TEST, user.id, user.email, details=details),)
        case ManyPatientsRead() | StaffAccountOpened():
            return _to_admins(event)
        case AccountEvent():
            return _to_owner(event)
        case PrescriptionCreated(prescription) | PrescriptionResumed(prescription):
            return _to_patient(EmailKind.PRESCRIPTION, prescription)
        case PrescriptionDispensed(prescription, log_id):
            return _to_patient(EmailKind.DISPENSED, prescription, log_id=str(log_id))
        case PrescriptionRejected(prescription):
            return (*_to_patient(EmailKind.REJECTED, prescription), _to_doctor(EmailKind.REJECTED, prescription))
        case PrescriptionClosed(prescription):
            return (*_to_patient(EmailKind.CLOSED, prescription), _to_doctor(EmailKind.CLOSED, prescription))
        case PrescriptionCancelled(prescription):
            return _to_patient(EmailKind.CANCELLED, prescription)
        case PrescriptionSuspended(prescription):
            return _to_patient(EmailKind.SUSPENDED, prescription)
    return ()


def _to_admins(event: ManyPatientsRead | StaffAccountOpened) -> tuple[NewEmail, ...]:
    match event:
        case ManyPatientsRead(reader, patients):
            kind, details = EmailKind.PATIENT_READS, {"reader_id": str(reader.id), "patients": str(patients)}
        case StaffAccountOpened(user):
            kind, details = EmailKind.STAFF_ACCOUNT, {"role": user.role.value, "status": user.status.value}
    return tuple(NewEmail(kind, admin.id, admin.email, details=details) for admin in event.admins)


def _to_owner(event: AccountEvent) -> tuple[NewEmail, ...]:
    match event:
        case UserRegistered(user) | PasswordChanged(user) | SecondFactorChanged(user) | UnfamiliarSignIn(user) if (
            not user.email_confirmed
        ):
            return ()  # the address may be a stranger's; the email with the confirmation code serves as the welcome
        case UserRegistered(user, invited):
            return (NewEmail(EmailKind.WELCOME, user.id, user.email, details={"invited": "yes"} if invited else {}),)
        case OtpRequested(user, kind, to, expires_at, sealed_code):
            return (NewEmail(kind, user.id, to, sealed_code=sealed_code, expires_at=expires_at),)
        case PasswordChanged(user):
            return (NewEmail(EmailKind.PASSWORD_CHANGED, user.id, user.email),)
        case UnfamiliarSignIn(user, origin):
            details = {"device": origin.device, "address": origin.address}
            return (NewEmail(EmailKind.NEW_SIGN_IN, user.id, user.email, details=details),)
        case SecondFactorChanged(user, change):
            return (NewEmail(EmailKind.SECOND_FACTOR, user.id, user.email, details={"change": change.value}),)
    return ()


def _to_patient(kind: EmailKind, prescription: Prescription, **details: str) -> tuple[NewEmail, ...]:
    reachable = prescription.patient_email_status is PatientEmailStatus.REACHABLE
    return (mail_to_patient(kind, prescription, **details),) if reachable else ()


def _to_doctor(kind: EmailKind, prescription: Prescription) -> NewEmail:
    return NewEmail(kind, prescription.doctor_id, prescription.doctor_email, prescription.id)
