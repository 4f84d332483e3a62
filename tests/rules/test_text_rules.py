"""Tests which characters each kind of text may contain."""

import time
import unicodedata
from typing import Any

import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2
from medconnect.clinical.v1 import clinical_service_pb2
from medconnect.events.v1 import events_service_pb2
from medconnect.options.v1 import access_pb2

from server.api.interceptors.text_rules import TextRules
from tests.fixtures.cells import cells
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.fixtures.typed_numbers import WRITINGS

NFD = unicodedata.normalize("NFD", "Zoë")
NFC = unicodedata.normalize("NFC", "Zoë")


def rules(message: Message) -> TextRules:
    descriptor: Any = message.DESCRIPTOR
    return TextRules(descriptor)


def complaints(message: Message) -> dict[str, str]:
    return {violation.field: violation.message for violation in rules(message).violations(message)}


def option(message: Message, field: str) -> int:
    descriptor: Any = message.DESCRIPTOR
    return int(descriptor.fields_by_name[field].GetOptions().Extensions[access_pb2.text])


def test_tested_fields_have_the_expected_text_options() -> None:
    assert option(auth_service_pb2.LoginRequest(), "email") == access_pb2.TEXT_UNSPECIFIED
    assert option(auth_service_pb2.LoginRequest(), "password") == access_pb2.TEXT_VERBATIM
    assert option(clinical_service_pb2.CreatePrescriptionRequest(), "doctor_notes") == access_pb2.TEXT_BLOCK


@cells(
    "character",
    [*("\0", "\x01", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029")],
)
def test_a_line_holds_no_control_character(character: str) -> None:
    message = auth_service_pb2.LoginRequest(email=f"a{character}b")
    assert complaints(message) == {"email": "must be one line without control characters"}


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\x7f", "\x85", "\u2028"])
def test_block_has_no_control_characters_except_breaks_and_tabs(character: str) -> None:
    message = clinical_service_pb2.CreatePrescriptionRequest(doctor_notes=f"a\r\n\tb{character}")
    assert complaints(message) == {"doctorNotes": "must not hold control characters"}
    message.doctor_notes = "a\r\n\tb"
    assert complaints(message) == {}


def test_verbatim_text_accepts_all_but_nul_and_is_unchanged() -> None:
    password = f"\ufeff{NFD}\n\x1b\u200b\u3164\u202e\ue000"
    message = auth_service_pb2.LoginRequest(password=password)
    assert complaints(message) == {}
    assert message.password == password
    assert complaints(auth_service_pb2.LoginRequest(password="a\0b")) == {"password": "must not hold the NUL character"}


def test_texts_are_brought_into_normal_form_wherever_they_stand() -> None:
    item = clinical_service_pb2.NewPrescriptionItem(medicine_name=NFD)
    message = clinical_service_pb2.CreatePrescriptionRequest(diagnosis=NFD, items=[item])
    patient = clinical_service_pb2.CreatePatientRequest(allergies=["Nuts", NFD])
    assert complaints(message) == complaints(patient) == {}
    assert (message.diagnosis, message.items[0].medicine_name) == (NFC, NFC)
    assert list(patient.allergies) == ["Nuts", NFC]


@control("S89")
def test_invisible_characters_are_dropped_before_field_rules() -> None:
    message = auth_service_pb2.LoginRequest(email="\ufeffann@\u200bexample.org")
    assert complaints(message) == {}
    assert message.email == "ann@example.org"
    dotted = auth_service_pb2.ForgotPasswordRequest(email="\u200b.ann@example.org")
    assert complaints(dotted) == {"email": "must be a valid email address"}
    event = events_service_pb2.EmitTestEventRequest(data={"\u200bward": "3\u00ad"})
    assert complaints(event) == {}
    assert dict(event.data) == {"ward": "3"}


def test_nested_and_repeated_fields_are_named_by_their_path() -> None:
    items = [clinical_service_pb2.NewPrescriptionItem(dosage=dosage) for dosage in ("1", "2\0")]
    message = clinical_service_pb2.CreatePrescriptionRequest(items=items)
    patient = clinical_service_pb2.CreatePatientRequest(allergies=["Nuts", "\x07"])
    assert complaints(message).keys() == {"items[1].dosage"}
    assert complaints(patient).keys() == {"allergies[1]"}


def test_every_bad_field_is_named() -> None:
    message = auth_service_pb2.LoginRequest(email="\n", password="\0")
    assert complaints(message).keys() == {"email", "password"}


def test_list_above_its_limit_is_reported_once_unread() -> None:
    patient = clinical_service_pb2.CreatePatientRequest(allergies=["\0"] * 51)
    message = clinical_service_pb2.CreatePrescriptionRequest()
    for _ in range(51):
        message.items.add(dosage="\0")
    assert complaints(patient) == {"allergies": "must contain no more than 50 item(s)"}
    assert complaints(message) == {"items": "must contain no more than 50 item(s)"}


def test_list_of_numbers_above_its_limit_is_not_read() -> None:
    message = clinical_service_pb2.ListPrescriptionsRequest(status=[99] * 9)  # type: ignore[list-item]
    assert complaints(message) == {"status": "must contain no more than 8 item(s)"}


@pytest.mark.parametrize("text", [" ", "\t", "\u00a0\u2003", "\u200d", "\u200e \u200f"])
def test_invisible_text_is_blank(text: str) -> None:
    message = clinical_service_pb2.CreatePrescriptionRequest(doctor_notes=text)
    assert complaints(message) == {"doctorNotes": "must not be blank"}


@control("S69")
@pytest.mark.parametrize("pile", ["\u0315" * 30_000 + "\u0300" * 30_000, "\u0f73" * 40_000, "\u0315" * 30 + "\u0300"])
def test_many_marks_on_a_letter_are_rejected(pile: str) -> None:
    began = time.process_time()
    assert complaints(auth_service_pb2.LoginRequest(email=f"a{pile}")) == {
        "email": "must not hold more than 30 marks on a letter"
    }
    event = events_service_pb2.EmitTestEventRequest(data={"a": f"a{pile}"})
    assert complaints(event) == {"data": "must not hold more than 30 marks on a letter"}
    assert time.process_time() - began < within(0.5)
    assert complaints(auth_service_pb2.LoginRequest(email=("a" + "\u0315" * 15 + "\u0300" * 15) * 100)) == {}


def test_optional_texts_that_were_not_given_stay_so() -> None:
    patient = clinical_service_pb2.UpdatePatientRequest()
    assert complaints(patient) == {}
    assert patient.ListFields() == []


@pytest.mark.parametrize("text", ["O'Hara", "<b>", "'; DROP TABLE users; --", "{{ 7*7 }}", "漢字", "😀", "مرحبا"])
def test_other_text_is_nobodys_business(text: str) -> None:
    message = auth_service_pb2.LoginRequest(email=text)
    assert complaints(message) == {}
    assert message.email == text


CODES: list[Message] = [
    auth_service_pb2.ResetPasswordRequest(),
    auth_service_pb2.ConfirmEmailRequest(),
    clinical_service_pb2.ConfirmHistoryAccessRequest(),
]


@cells("request_", CODES, ids=lambda request_: request_.DESCRIPTOR.name)
@cells("writing", WRITINGS)
def test_emailed_code_is_read_however_it_is_written(request_: Any, writing: str) -> None:
    message = type(request_)(otp_code=WRITINGS[writing]("012-345"))
    assert complaints(message) == {}
    assert message.otp_code == "012345"


@cells("text", ["", "\u3164\u2060", "x\0y", "1\u00b22", "\u0391", "12\u26033", "\u2460"], ids=ascii)
def test_number_keeps_what_is_neither_separator_nor_digit(text: str) -> None:
    message = auth_service_pb2.ConfirmEmailRequest(otp_code=text)
    assert complaints(message) == {}
    assert message.otp_code == text.strip("\u3164\u2060")


def test_long_number_is_read_in_linear_time() -> None:
    began = time.process_time()
    for part in ("-", "\u2013", "\uff11", ".", "\u200b "):
        message = auth_service_pb2.ConfirmEmailRequest(otp_code="x" + part * 60_000 + "x")
        assert complaints(message) == {}
    assert time.process_time() - began < within(2)
