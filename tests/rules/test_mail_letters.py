"""What mails say: words, escaping, headers and the QR picture."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import zxingcpp
from PIL import Image

from server.auth.entities import User, UserStatus
from server.clinical.entities import Patient, Prescription, PrescriptionItem, PrescriptionStatus, QrCode
from server.clinical.qr_issuer import QrIssuer
from server.identity import Role
from server.mail.composer import qr_text
from server.mail.entities import ClaimedMail, HandedOut, HandedOutLine, MailKind
from server.mail.envelope import envelop, picture_id, sender_domain
from server.mail.letters import Contents, LetterWriter
from server.patient_details import Gender
from server.qr import picture
from server.qr.signed_code import QrKeyRing, decode

NOW = datetime(2026, 11, 26, 10, 30, tzinfo=UTC)
SENDER = "MedConnect <no-reply@hospital.example>"
KEYS = QrKeyRing.parse("one:" + "k" * 32)
CODES = QrIssuer(KEYS, timedelta(days=7))
MAIL_ID = UUID("01935a00-0000-7000-8000-000000000001")
HOSTILE = [
    "Eve\r\nBcc: x@evil.example",
    "<img src=x onerror=1>",
    "{{7*7}}${7*7}",
    "note\r\n.\r\nMAIL FROM:<x@evil.example>",
]

PATIENT_USER = User(
    id=UUID(int=1),
    email="maria@example.org",
    full_name="Maria da Silva",
    phone="",
    role=Role.PATIENT,
    status=UserStatus.ACTIVE,
    license_number="",
    specialization="",
    hospital_name="",
    pharmacy_name="",
    pharmacy_address="",
    created_at=NOW,
)
DOCTOR_USER = replace(
    PATIENT_USER, id=UUID(int=2), email="ana@example.org", full_name="Ana Costa", role=Role.DOCTOR, license_number="L-1"
)
PATIENT = Patient(
    id=UUID(int=3),
    user_id=PATIENT_USER.id,
    reference_number="PAT-20261126-4QK7W2NB",
    full_name=PATIENT_USER.full_name,
    email=PATIENT_USER.email,
    phone="",
    date_of_birth=date(1980, 2, 29),
    gender=Gender.FEMALE,
    blood_type="",
    address="",
    emergency_contact="",
    emergency_phone="",
    insurance_provider="",
    insurance_number="",
    allergies=(),
    existing_conditions=(),
    version=1,
    created_at=NOW,
    updated_at=NOW,
)
AMOXICILLIN = PrescriptionItem(
    UUID(int=11), "Amoxicillin", "500 mg", "three times a day", 21, "Take after meals.", "oral", 7, 0
)
IBUPROFEN = PrescriptionItem(UUID(int=12), "Ibuprofen", "400 mg", "when in pain", 20, "", "", None, 0)
CODE = QrCode(UUID(int=7), UUID(int=5), "one", b"n" * 12, "0" * 32, NOW, NOW + timedelta(days=7), None, 0)
PRESCRIPTION = Prescription(
    id=UUID(int=5),
    number="RX-20261126-7K3M9QTD",
    patient_id=PATIENT.id,
    patient_user_id=PATIENT_USER.id,
    patient_name=PATIENT.full_name,
    patient_email=PATIENT.email,
    patient_date_of_birth=PATIENT.date_of_birth,
    patient_allergies=(),
    insurance_provider="",
    insurance_number="",
    doctor_id=DOCTOR_USER.id,
    doctor_name=DOCTOR_USER.full_name,
    doctor_email=DOCTOR_USER.email,
    doctor_license_number="L-1",
    visit_id=None,
    diagnosis="Acute sinusitis",
    doctor_notes="",
    status=PrescriptionStatus.PENDING,
    status_reason="",
    claim=None,
    items=(AMOXICILLIN, IBUPROFEN),
    qr_code=CODE,
    created_at=NOW,
    expires_at=NOW + timedelta(days=30),
    changed_at=NOW,
    fulfilled_at=None,
    as_of=NOW,
)
MAIL = ClaimedMail(
    MAIL_ID, MailKind.PRESCRIPTION, PATIENT_USER.id, PATIENT_USER.email, PRESCRIPTION.id, {}, 0, 1, NOW, NOW
)
HANDED_OUT = HandedOut("Corner Pharmacy", NOW, (HandedOutLine("Amoxicillin", 21),))

FULL = LetterWriter(full=True, zone=ZoneInfo("UTC"), frontend_url="https://med.example/")
MINIMAL = LetterWriter(full=False, zone=ZoneInfo("UTC"), frontend_url="https://med.example")


def prescription_contents(prescription: Prescription = PRESCRIPTION, picture_id: str = "qr@x") -> Contents:
    return Contents(PATIENT_USER, patient=PATIENT, prescription=prescription, picture_id=picture_id)


def contents_of(kind: MailKind) -> Contents:
    match kind:
        case MailKind.WELCOME:
            return Contents(PATIENT_USER, patient=PATIENT)
        case MailKind.PRESCRIPTION:
            return prescription_contents()
        case MailKind.PASSWORD_RESET:
            return Contents(PATIENT_USER, code="042871", code_expires_at=NOW)
        case MailKind.PASSWORD_CHANGED:
            return Contents(PATIENT_USER, changed_at=NOW)
        case MailKind.DISPENSED:
            done = replace(PRESCRIPTION, status=PrescriptionStatus.DISPENSED)
            return Contents(PATIENT_USER, prescription=done, handed_out=HANDED_OUT)
        case _:
            ended = replace(
                PRESCRIPTION, status=PrescriptionStatus(kind.value), status_reason="Wrong dose of Amoxicillin"
            )
            return Contents(PATIENT_USER, prescription=ended)


def sent(mail: EmailMessage) -> EmailMessage:
    """The mail as its reader's program sees it."""
    received = message_from_bytes(mail.as_bytes(), policy=default)
    assert isinstance(received, EmailMessage)
    return received


def part(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body(preferencelist=(subtype,))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


FOOTER = (
    "\nMedConnect. This mail was sent automatically; nobody reads replies to it.\n"
    "MedConnect never asks for your password by mail."
)
PRESCRIPTION_TEXT = """\
Hello Maria da Silva,

Your doctor Ana Costa has written a prescription for you.

  Patient:       Maria da Silva
  Prescription:  RX-20261126-7K3M9QTD
  Doctor:        Ana Costa
  Diagnosis:     Acute sinusitis
  Valid until:   26 December 2026, 10:30 UTC

Medicines

  1. Amoxicillin - quantity 21
     500 mg, three times a day, oral, 7 days
     Take after meals.

  2. Ibuprofen - quantity 20
     400 mg, when in pain

At the pharmacy

Show the QR code, the picture in this mail. It can be scanned until
3 December 2026, 10:30 UTC; after that, ask for a new one in MedConnect.

A pharmacy without a scanner finds it by either of these numbers:

  Prescription:  RX-20261126-7K3M9QTD
  Patient:       PAT-20261126-4QK7W2NB

Whoever has this mail can show the code at a pharmacy. Pass it on only to
somebody who collects your medicines.
"""

INVITATION_TEXT = """\
Hello Ana Costa,

An account was made for you at MedConnect.

  Name:              Ana Costa
  Role:              Doctor
  Sign in with:      ana@example.org

An administrator checks your licence number first. Until then you can
sign in, and not do more. Afterwards you can keep patient records,
record visits, and write prescriptions.

The account has no password yet. Choose one here, and sign in with it from
then on:
https://med.example/#/set-password
"""

DISPENSED_TEXT = """\
Hello Maria da Silva,

A pharmacy has handed out medicines for your prescription.

  Prescription:  RX-20261126-7K3M9QTD
  Pharmacy:      Corner Pharmacy
  When:          26 November 2026, 10:30 UTC

  - Amoxicillin: 21

The prescription is complete; its QR code is used up.
If you did not collect these medicines yourself or through somebody you
sent, call the pharmacy or your doctor.
"""

REJECTED_TEXT = """\
Hello Ana Costa,

A pharmacy has rejected a prescription that you wrote.
Its QR code works no longer.

  Prescription:  RX-20261126-7K3M9QTD
  Patient:       Maria da Silva
  When:          26 November 2026, 10:30 UTC
  Reason:        Wrong dose of Amoxicillin

If the patient still needs the medicines, write a new prescription.
"""


def test_the_text_alone_says_everything() -> None:
    doctor = replace(DOCTOR_USER, status=UserStatus.UNVERIFIED)
    to_doctor = replace(contents_of(MailKind.REJECTED), recipient=DOCTOR_USER)
    assert FULL.write(MailKind.PRESCRIPTION, prescription_contents()).text == PRESCRIPTION_TEXT + FOOTER
    assert FULL.write(MailKind.WELCOME, Contents(doctor, invited=True)).text == INVITATION_TEXT + FOOTER
    assert FULL.write(MailKind.DISPENSED, contents_of(MailKind.DISPENSED)).text == DISPENSED_TEXT + FOOTER
    assert FULL.write(MailKind.REJECTED, to_doctor).text == REJECTED_TEXT + FOOTER


@pytest.mark.parametrize("kind", MailKind)
def test_the_html_says_what_the_text_says(kind: MailKind) -> None:
    letter = FULL.write(kind, contents_of(kind))
    facts = [
        line.partition(":")[2].strip() for line in letter.text.splitlines() if line.startswith("  ") and ":" in line
    ]
    assert len(facts) >= 3
    assert [fact for fact in facts if fact not in letter.html] == []


def test_the_welcome_of_a_patient_names_the_reference_number_and_where_to_sign_in() -> None:
    letter = FULL.write(MailKind.WELCOME, contents_of(MailKind.WELCOME))
    for body in (letter.text, letter.html):
        assert PATIENT.reference_number in body
        assert "https://med.example" in body
        assert "set-password" not in body


@pytest.mark.parametrize("kind", [MailKind.PRESCRIPTION, MailKind.DISPENSED, MailKind.REJECTED, MailKind.CANCELLED])
def test_minimal_mails_name_no_diagnosis_no_medicine_and_no_reason(kind: MailKind) -> None:
    full, minimal = FULL.write(kind, contents_of(kind)), MINIMAL.write(kind, contents_of(kind))
    for canary in ("Acute sinusitis", "Amoxicillin", "500 mg"):
        assert canary not in minimal.text + minimal.html
    assert "Amoxicillin" in full.text
    assert "Amoxicillin" in full.html
    assert PRESCRIPTION.number in minimal.text


def test_moments_are_told_in_the_hospitals_zone() -> None:
    writer = LetterWriter(full=True, zone=ZoneInfo("Asia/Tokyo"), frontend_url="https://med.example")
    assert (
        "Valid until:   26 December 2026, 19:30 JST"
        in writer.write(MailKind.PRESCRIPTION, prescription_contents()).text
    )


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("kind", MailKind)
def test_hostile_words_reach_one_recipient_escaped_and_literal(words: str, kind: MailKind) -> None:
    contents = contents_of(kind)
    if contents.prescription is not None:
        item = replace(AMOXICILLIN, medicine_name=words, dosage=words, instructions=words)
        poisoned = replace(
            contents.prescription,
            patient_name=words,
            doctor_name=words,
            diagnosis=words,
            status_reason=words,
            items=(item,),
        )
        contents = replace(contents, prescription=poisoned)
    contents = replace(contents, recipient=replace(PATIENT_USER, full_name=words))
    raw = envelop(MAIL, SENDER, FULL.write(kind, contents), None)
    assert b"\r\n.\r\n" not in raw.as_bytes()
    mail = sent(raw)
    assert [mail["To"], mail["From"]] == ["maria@example.org", SENDER]
    assert mail.get_all("To") == ["maria@example.org"]
    assert mail["Bcc"] is None
    assert mail["Cc"] is None
    assert words.split()[0] not in mail["Subject"]
    assert f"Hello {' '.join(words.split())}," in part(mail, "plain")
    html = part(mail, "html")
    assert "<img src=x" not in html
    escaped = " ".join(words.split()).replace("<", "&lt;").replace(">", "&gt;")
    assert escaped in html


@pytest.mark.parametrize(
    "address", ["a@b.example,d@e.example", "a@b.example>\r\nRCPT TO:<x@y.example", '"a\r\n"@b.example', "nobody", ""]
)
def test_what_is_not_exactly_one_address_is_no_recipient(address: str) -> None:
    letter = FULL.write(MailKind.WELCOME, contents_of(MailKind.WELCOME))
    with pytest.raises(Exception, match=r".*"):
        envelop(replace(MAIL, recipient=address), SENDER, letter, None).as_bytes()


def test_the_same_mail_always_has_the_same_message_id_and_says_that_nobody_wrote_it() -> None:
    letter = FULL.write(MailKind.WELCOME, contents_of(MailKind.WELCOME))
    first, second = (envelop(replace(MAIL, fence=fence), SENDER, letter, None) for fence in (1, 2))
    assert first["Message-ID"] == second["Message-ID"] == f"<{MAIL_ID}@hospital.example>"
    assert first["Date"] == second["Date"] == "Thu, 26 Nov 2026 10:30:00 +0000"
    assert first["Auto-Submitted"] == "auto-generated"


def test_the_picture_in_the_mail_decodes_to_the_codes_text() -> None:
    text = qr_text(PRESCRIPTION, CODES)
    assert text is not None
    cid = picture_id(MAIL, sender_domain(SENDER))
    letter = FULL.write(MailKind.PRESCRIPTION, prescription_contents(picture_id=cid))
    mail = sent(envelop(MAIL, SENDER, letter, picture.png(text)))
    (png,) = [found for found in mail.walk() if found.get_content_type() == "image/png"]
    assert png["Content-ID"] == f"<{cid}>"
    assert png.get_content_disposition() == "inline"
    assert f'src="cid:{cid}"' in part(mail, "html")
    (seen,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png.get_content())).convert("L"))
    assert seen.text == text
    assert decode(seen.text, KEYS).prescription_id == PRESCRIPTION.id
    related = [found for found in mail.walk() if found.get_content_type() == "multipart/related"]
    assert [child.get_content_type() for child in related[0].iter_parts()] == ["text/html", "image/png"]


@pytest.mark.parametrize(
    "status", [s for s in PrescriptionStatus if s.value in ("dispensed", "rejected", "cancelled", "expired")]
)
def test_a_prescription_that_ended_meanwhile_is_mailed_without_a_code_and_says_why(status: PrescriptionStatus) -> None:
    ended = replace(PRESCRIPTION, status=status)
    assert qr_text(ended, CODES) is None
    letter = FULL.write(MailKind.PRESCRIPTION, prescription_contents(ended, picture_id=""))
    for body in (letter.text, letter.html):
        assert f"has been {status.value} in the meantime" in body
        assert "cid:" not in body
        assert "Show " not in body
        assert "without a scanner" not in body


def test_a_code_that_is_over_or_whose_key_is_retired_is_not_mailed() -> None:
    over = replace(PRESCRIPTION, as_of=CODE.expires_at)
    assert qr_text(replace(over, as_of=CODE.expires_at - timedelta(seconds=1)), CODES) is not None
    assert qr_text(over, CODES) is None
    assert qr_text(PRESCRIPTION, QrIssuer(QrKeyRing.parse("two:" + "k" * 32), timedelta(days=7))) is None
    letter = FULL.write(MailKind.PRESCRIPTION, prescription_contents(over, picture_id=""))
    assert "This mail has no QR code" in letter.text
    assert "This mail has no QR code" in letter.html
    assert PATIENT.reference_number in letter.text
