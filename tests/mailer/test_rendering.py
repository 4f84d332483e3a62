"""Tests the texts of emails, in text and in HTML, and when they have a QR code."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from server.auth.entities import UserStatus
from server.clinical.entities import PrescriptionStatus
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.validity import LaterValidity
from server.mailer.entities import EmailDetail
from server.mailer.qr_codes import qr_text
from server.mailer.rendering import EmailRenderer, TemplateData
from server.outbox.entities import EmailKind
from server.qr.key_ring import QrKeyRing
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.fixtures.rendered_emails import (
    CODE,
    CODES,
    DOCTOR_USER,
    FULL,
    HOSPITAL,
    NOW,
    PATIENT,
    PHARMACY,
    PRESCRIPTION,
    contents_of,
    prescription_contents,
)

FOOTER = (
    "\nMedConnect. This email was sent automatically; replies are not read.\n"
    "MedConnect never asks for your password by email."
)
ADDRESS = f"https://med.example/#/prescriptions/{PRESCRIPTION.id}"
LINK = f"\nThis prescription in MedConnect:\n{ADDRESS}\n"
PRESCRIPTION_TEXT = """\
Hello Maria da Silva,

Your doctor Ana Costa has written a prescription for you.

  Patient:       Maria da Silva
  Prescription:  RX-20261126-7K3M9QTD
  Doctor:        Ana Costa
  Hospital:      City Hospital, +49 341 5550100
  Diagnosis:     Acute sinusitis
  Valid until:   26 December 2026, 10:30 UTC

Medicines

  1. Amoxicillin - 21 capsules
     500 mg, three times a day, oral, 7 days
     Take after meals.

  2. Ibuprofen - 2.5 ml
     20 mg/ml, when in pain

At the pharmacy

Show the QR code, the picture in this email. You can use it until
3 December 2026, 10:30 UTC; after that, get a new one in MedConnect.

A pharmacy without a scanner can find your prescription by either of these
numbers:

  Prescription:  RX-20261126-7K3M9QTD
  Patient:       PAT-20261126-4QK7W2NB

Anyone who has this email can show the code at a pharmacy. Forward it only
to a person who collects your medicines for you.
"""

LATER = LaterValidity(date(2026, 12, 10), datetime(2026, 12, 10, tzinfo=UTC), PRESCRIPTION.expires_at)

INVITATION_TEXT = """\
Hello Ana Costa,

An account was created for you at MedConnect.

  Name:              Ana Costa
  Role:              Doctor
  Sign in with:      ana@example.org

An administrator verifies your licence number first. Until then, you can
only sign in. Afterwards, you can keep patient records, record visits,
and write prescriptions.

Your account has no password yet. Choose one here to sign in; that also
confirms that this address is yours:
https://med.example/#/set-password

If you do not expect an account, this email was meant for another person:
do not choose a password. You can ignore this email.
"""

DISPENSED_TEXT = """\
Hello Maria da Silva,

A pharmacy has dispensed medicines of your prescription.

  Prescription:  RX-20261126-7K3M9QTD
  Pharmacy:      Corner Pharmacy, +49 341 5550123
  When:          26 November 2026, 10:30 UTC

  - Amoxicillin: 21 capsules

The prescription has been dispensed in full; its QR code no longer
works.
If neither you nor a person you sent collected these medicines, call the
pharmacy or your doctor.
"""

REJECTED_TEXT = """\
Hello Ana Costa,

A pharmacy has rejected a prescription that you wrote.
Its QR code no longer works.

  Prescription:  RX-20261126-7K3M9QTD
  Patient:       Maria da Silva
  Pharmacy:      Corner Pharmacy, +49 341 5550123
  When:          26 November 2026, 10:30 UTC
  Reason:        Wrong dose of Amoxicillin

If the patient still needs the medicines, write a new prescription.
"""


CLOSED_TEXT = """\
Hello Ana Costa,

A pharmacy has closed the rest of a prescription that you wrote.
A part of it was dispensed. The rest cannot be dispensed, and its QR code no
longer works.

  Prescription:  RX-20261126-7K3M9QTD
  Patient:       Maria da Silva
  Pharmacy:      Corner Pharmacy, +49 341 5550123
  When:          26 November 2026, 10:30 UTC
  Reason:        Wrong dose of Amoxicillin

If the patient still needs the rest, write a new prescription.
"""


def test_text_part_is_complete() -> None:
    doctor = replace(DOCTOR_USER, status=UserStatus.UNVERIFIED)
    to_doctor = replace(contents_of(EmailKind.REJECTED), recipient=DOCTOR_USER)
    closed = replace(contents_of(EmailKind.CLOSED), recipient=DOCTOR_USER)
    assert FULL.write(EmailKind.PRESCRIPTION, prescription_contents()).text == PRESCRIPTION_TEXT + LINK + FOOTER
    assert FULL.write(EmailKind.WELCOME, TemplateData(doctor, invited=True)).text == INVITATION_TEXT + FOOTER
    assert FULL.write(EmailKind.DISPENSED, contents_of(EmailKind.DISPENSED)).text == DISPENSED_TEXT + LINK + FOOTER
    assert FULL.write(EmailKind.REJECTED, to_doctor).text == REJECTED_TEXT + LINK + FOOTER
    assert FULL.write(EmailKind.CLOSED, closed).text == CLOSED_TEXT + LINK + FOOTER


@cells("kind", EmailKind)
def test_html_part_matches_the_text_part(kind: EmailKind) -> None:
    rendered = FULL.write(kind, contents_of(kind))
    facts = [
        line.partition(":")[2].strip() for line in rendered.text.splitlines() if line.startswith("  ") and ":" in line
    ]
    assert len(facts) >= 2
    assert [fact for fact in facts if fact not in rendered.html] == []


def test_patient_welcome_has_reference_number_and_sign_in_link() -> None:
    rendered = FULL.write(EmailKind.WELCOME, contents_of(EmailKind.WELCOME))
    for body in (rendered.text, rendered.html):
        assert PATIENT.reference_number in body
        assert "https://med.example" in body
        assert "set-password" not in body


def test_unconfirmed_welcome_has_code_and_no_sign_in_link() -> None:
    contents = replace(contents_of(EmailKind.WELCOME), code="042871", code_expires_at=NOW)
    rendered = FULL.write(EmailKind.WELCOME, contents)
    for body in (rendered.text, rendered.html):
        assert "042871" in body
        assert "26 November 2026, 10:30 UTC" in body
        assert "Never share the code" in body
        assert "https://med.example" not in body


@pytest.mark.parametrize("kind", [EmailKind.PASSWORD_RESET, EmailKind.HISTORY_CODE, EmailKind.EMAIL_CODE])
def test_code_email_states_expiry_and_secrecy(kind: EmailKind) -> None:
    rendered = FULL.write(kind, contents_of(kind))
    for body in (rendered.text, rendered.html):
        for said in ("042871", "26 November 2026, 10:30 UTC", "Never share"):
            assert said in body
    assert "042871" not in rendered.subject


def test_email_about_an_address_goes_to_that_address() -> None:
    rendered = FULL.write(EmailKind.EMAIL_CODE, contents_of(EmailKind.EMAIL_CODE))
    assert "new@example.org" in rendered.text
    assert "maria@example.org" not in rendered.text + rendered.html


@control("S59")
@pytest.mark.parametrize("kind", [EmailKind.PRESCRIPTION, EmailKind.DISPENSED, EmailKind.REJECTED, EmailKind.CANCELLED])
def test_minimal_emails_omit_diagnosis_medicine_and_reason(kind: EmailKind) -> None:
    contents = contents_of(kind)
    full, minimal = FULL.write(kind, contents), FULL.write(kind, replace(contents, detail=EmailDetail.MINIMAL))
    for canary in ("Acute sinusitis", "Amoxicillin", "500 mg"):
        assert canary not in minimal.text + minimal.html
    assert "Amoxicillin" in full.text
    assert "Amoxicillin" in full.html
    assert PRESCRIPTION.number in minimal.text


@pytest.mark.parametrize("kind", [EmailKind.PRESCRIPTION, EmailKind.DISPENSED, EmailKind.REJECTED, EmailKind.CANCELLED])
def test_email_to_unconfirmed_address_reveals_only_the_number(kind: EmailKind) -> None:
    """A mistyped address may be a stranger's: neither the patient, the doctor, the pharmacy nor the event is named."""
    contents = replace(contents_of(kind), detail=EmailDetail.CODE, knows_recipient=False)
    letter = FULL.write(kind, contents)
    seen = f"{letter.subject}\n{letter.text}\n{letter.html}"
    assert PRESCRIPTION.number in letter.subject
    assert PRESCRIPTION.number in letter.text
    people = (PATIENT.full_name, PATIENT.reference_number, PRESCRIPTION.doctor_name)
    places = (HOSPITAL.name, HOSPITAL.phone, PHARMACY.name, PHARMACY.phone)
    for revealing in (*people, *places, "Acute sinusitis", "Amoxicillin", "500 mg", "Wrong dose", "cancel", "reject"):
        assert revealing not in seen


@cells("kind", [kind for kind in EmailKind if contents_of(kind).prescription])
def test_prescription_email_links_to_it_if_address_is_confirmed(kind: EmailKind) -> None:
    rendered = FULL.write(kind, contents_of(kind))
    assert ADDRESS in rendered.text
    assert f'href="{ADDRESS}"' in rendered.html
    unconfirmed = FULL.write(kind, replace(contents_of(kind), detail=EmailDetail.CODE, knows_recipient=False))
    assert ADDRESS not in unconfirmed.text + unconfirmed.html


def test_invitation_names_neither_patient_nor_number() -> None:
    contents = replace(contents_of(EmailKind.WELCOME), invited=True, knows_recipient=False)
    letter = FULL.write(EmailKind.WELCOME, contents)
    for revealing in (PATIENT.full_name, PATIENT.reference_number, "Patient"):
        assert revealing not in letter.text + letter.html


def test_times_are_in_the_hospitals_zone() -> None:
    writer = EmailRenderer(zone=ZoneInfo("Asia/Tokyo"), frontend_url="https://med.example")
    assert (
        "Valid until:   26 December 2026, 19:30 JST"
        in writer.write(EmailKind.PRESCRIPTION, prescription_contents()).text
    )


@pytest.mark.parametrize(
    "status", [s for s in PrescriptionStatus if s.value in ("dispensed", "rejected", "cancelled", "expired", "closed")]
)
def test_email_of_ended_prescription_has_no_code_and_states_why(status: PrescriptionStatus) -> None:
    ended = replace(PRESCRIPTION, status=status)
    assert qr_text(ended, CODES) is None
    rendered = FULL.write(EmailKind.PRESCRIPTION, prescription_contents(ended, picture_id=""))
    for body in (rendered.text, rendered.html):
        assert f"This prescription is {status.value} now" in body
        assert "cid:" not in body
        assert "Show " not in body
        assert "without a scanner" not in body


def test_code_that_expired_or_lost_its_key_is_not_emailed() -> None:
    over = replace(PRESCRIPTION, as_of=CODE.expires_at)
    assert qr_text(replace(over, as_of=CODE.expires_at - timedelta(seconds=1)), CODES) is not None
    assert qr_text(over, CODES) is None
    assert qr_text(PRESCRIPTION, QrIssuer(QrKeyRing.parse("two:" + "k" * 32), timedelta(days=7))) is None
    rendered = FULL.write(EmailKind.PRESCRIPTION, prescription_contents(over, picture_id=""))
    assert "This email contains no QR code" in rendered.text
    assert "This email contains no QR code" in rendered.html
    assert PATIENT.reference_number in rendered.text


@pytest.mark.parametrize("detail", EmailDetail)
def test_later_validity_is_in_both_parts(detail: EmailDetail) -> None:
    contents = replace(prescription_contents(replace(PRESCRIPTION, later_validity=LATER)), detail=detail)
    mail = FULL.write(EmailKind.PRESCRIPTION, contents)
    for part in (mail.text, mail.html):
        assert part.count("Valid from") == 1
        assert "10 December 2026" in part
