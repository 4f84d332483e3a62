"""Tests the recorded data of each catalogue event, and the emails that follow from it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from server.auth.entities import SignInOrigin
from server.auth.events import (
    FactorChange,
    ManyPatientsRead,
    OtpRequested,
    PasswordChanged,
    SecondFactorChanged,
    StaffAccountOpened,
    UnfamiliarSignIn,
    UserRegistered,
)
from server.clinical.entities import PatientEmailStatus
from server.clinical.events import (
    PrescriptionCancelled,
    PrescriptionClosed,
    PrescriptionCreated,
    PrescriptionDispensed,
    PrescriptionRejected,
    PrescriptionResumed,
    PrescriptionSuspended,
)
from server.events.catalog import Event, EventType
from server.identity import Role
from server.mailer.events import AdminTestEvent
from server.mailer.subscriptions import emails_of
from server.outbox.entities import EmailKind, NewEmail
from tests.fixtures.cells import cells
from tests.fixtures.prescriptions import a_prescription
from tests.fixtures.users import a_user

USER = a_user(Role.PATIENT, email="paula@example.org", full_name="Paula Patient")
RX = a_prescription(diagnosis="Bronchitis")
assert RX.patient_user_id is not None
LATER = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)
LOG_ID = UUID(int=9)
SEALED = b"sealed"


def to_patient(kind: EmailKind, **details: str) -> NewEmail:
    return NewEmail(kind, RX.patient_user_id or UUID(int=0), RX.patient_email, RX.id, details)


def to_user(kind: EmailKind, **details: str) -> NewEmail:
    return NewEmail(kind, USER.id, USER.email, details=details)


RESET = replace(to_user(EmailKind.PASSWORD_RESET), sealed_code=SEALED, expires_at=LATER)
TO_DOCTOR = NewEmail(EmailKind.REJECTED, RX.doctor_id, RX.doctor_email, RX.id)
NEW_SIGN_IN = to_user(EmailKind.NEW_SIGN_IN, device="curl", address="192.0.2.1")
TRIED = to_user(EmailKind.TEST, event_type="prescription.created", data='{"a": "b"}')
CASES: tuple[tuple[Event, tuple[NewEmail, ...]], ...] = (
    (UserRegistered(USER, invited=False), (to_user(EmailKind.WELCOME),)),
    (UserRegistered(USER, invited=True), (to_user(EmailKind.WELCOME, invited="yes"),)),
    (OtpRequested(USER, EmailKind.PASSWORD_RESET, USER.email, LATER, SEALED), (RESET,)),
    (PasswordChanged(USER), (to_user(EmailKind.PASSWORD_CHANGED),)),
    (SecondFactorChanged(USER, FactorChange.ADDED), (to_user(EmailKind.SECOND_FACTOR, change="added"),)),
    (UnfamiliarSignIn(USER, SignInOrigin("curl", "192.0.2.1")), (NEW_SIGN_IN,)),
    (
        ManyPatientsRead(USER, 150, (USER,)),
        (to_user(EmailKind.PATIENT_READS, reader_id=str(USER.id), patients="150"),),
    ),
    (
        StaffAccountOpened(a_user(Role.ADMIN, id=RX.id, email="new@example.org"), (USER,)),
        (to_user(EmailKind.STAFF_ACCOUNT, role="admin", status="active"),),
    ),
    (PrescriptionCreated(RX), (to_patient(EmailKind.PRESCRIPTION),)),
    (PrescriptionDispensed(RX, LOG_ID), (to_patient(EmailKind.DISPENSED, log_id=str(LOG_ID)),)),
    (PrescriptionRejected(RX), (to_patient(EmailKind.REJECTED), TO_DOCTOR)),
    (PrescriptionClosed(RX), (to_patient(EmailKind.CLOSED), replace(TO_DOCTOR, kind=EmailKind.CLOSED))),
    (PrescriptionCancelled(RX), (to_patient(EmailKind.CANCELLED),)),
    (PrescriptionSuspended(RX), (to_patient(EmailKind.SUSPENDED),)),
    (PrescriptionResumed(RX), (to_patient(EmailKind.PRESCRIPTION),)),
    (AdminTestEvent(USER, "prescription.created", {"a": "b"}), (TRIED,)),
)


@cells(("event", "mails"), CASES, ids=lambda value: getattr(value, "type", None))
def test_event_produces_its_emails(event: Event, mails: tuple[NewEmail, ...]) -> None:
    assert emails_of(event) == mails


def test_every_type_of_event_is_among_those_tested() -> None:
    assert {event.type for event, _ in CASES} == set(EventType)


def test_unconfirmed_address_gets_only_its_confirmation_code() -> None:
    stranger = replace(USER, email_confirmed=False, new_email=USER.email)
    assert emails_of(UserRegistered(stranger, invited=False)) == emails_of(PasswordChanged(stranger)) == ()
    (mail,) = emails_of(OtpRequested(stranger, EmailKind.WELCOME, USER.email, LATER, SEALED))
    assert (mail.recipient, mail.sealed_code, mail.expires_at) == (USER.email, SEALED, LATER)


@pytest.mark.parametrize(
    "unreachable",
    [
        {"patient_user_id": None, "patient_email": "", "patient_email_status": PatientEmailStatus.NO_ADDRESS},
        {"patient_email_status": PatientEmailStatus.ACCOUNT_DEACTIVATED},
    ],
)
def test_patient_without_address_gets_no_email_but_doctor_does(unreachable: dict[str, Any]) -> None:
    quiet = replace(RX, **unreachable)
    events = [PrescriptionCreated(quiet), PrescriptionDispensed(quiet, LOG_ID), PrescriptionCancelled(quiet)]
    assert [emails_of(event) for event in events] == [(), (), ()]
    assert emails_of(PrescriptionRejected(quiet)) == (TO_DOCTOR,)


@cells(("event", "mails"), CASES, ids=lambda value: getattr(value, "type", None))
def test_recorded_data_has_no_name_address_code_or_diagnosis(event: Event, mails: tuple[NewEmail, ...]) -> None:
    recorded = json.dumps({"subject": str(event.subject_id), **event.payload})
    for private in (USER.full_name, "@", "Bronchitis", SEALED.decode(), RX.patient_name):
        assert private not in recorded
    assert event.subject_id in (USER.id, RX.id)
