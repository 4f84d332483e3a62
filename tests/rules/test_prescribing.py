"""Tests which actions a doctor may take on a prescription in each state, and how others are rejected."""

from datetime import UTC, datetime, timedelta

import pytest

from server.clinical.entities import Claim, PrescriptionStatus
from server.clinical.rules.prescribing import FINAL_STATES, check_not_final, claimed_refusal, mail_to_patient
from server.errors import (
    PatientHasNoEmail,
    PrescriptionCancelled,
    PrescriptionClosed,
    PrescriptionDispensed,
    PrescriptionExpired,
    PrescriptionRejected,
)
from server.identity import Role
from server.outbox.entities import EmailKind, NewEmail
from tests.fixtures.prescriptions import a_prescription
from tests.fixtures.users import a_user

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (PrescriptionStatus.DISPENSED, PrescriptionDispensed),
        (PrescriptionStatus.REJECTED, PrescriptionRejected),
        (PrescriptionStatus.CLOSED, PrescriptionClosed),
        (PrescriptionStatus.CANCELLED, PrescriptionCancelled),
        (PrescriptionStatus.EXPIRED, PrescriptionExpired),
    ],
)
def test_final_state_rejects_with_its_own_error_and_time(status: PrescriptionStatus, refusal: type[Exception]) -> None:
    with pytest.raises(refusal) as refused:
        check_not_final(a_prescription(status=status, changed_at=NOW))
    assert refused.value.metadata == {"state": status, "changed_at": NOW}  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [status for status in PrescriptionStatus if status not in FINAL_STATES])
def test_an_open_state_is_let_through(status: PrescriptionStatus) -> None:
    check_not_final(a_prescription(status=status))


def test_cancel_during_claim_names_pharmacy_phone_and_claim_end() -> None:
    pharmacist = a_user(Role.PHARMACIST, phone="+49 30 7", pharmacy_name="Corner")
    claim = Claim(pharmacist.id, PrescriptionStatus.SCANNED, NOW + timedelta(minutes=20))
    assert claimed_refusal(claim, pharmacist).metadata == {
        "state": "validated",
        "pharmacy_name": "Corner",
        "pharmacy_phone": "+49 30 7",
        "claim_expires_at": NOW + timedelta(minutes=20),
    }


def test_email_goes_to_patient_account_and_names_prescription() -> None:
    prescription = a_prescription()
    mail = mail_to_patient(EmailKind.CANCELLED, prescription)
    assert prescription.patient_user_id is not None
    expected = NewEmail(EmailKind.CANCELLED, prescription.patient_user_id, "paula@example.org", prescription.id)
    assert mail == expected


def test_patient_without_account_cannot_be_emailed() -> None:
    prescription = a_prescription(patient_user_id=None, patient_email="")
    with pytest.raises(PatientHasNoEmail):
        mail_to_patient(EmailKind.PRESCRIPTION, prescription)
