"""Names, phone numbers, addresses and texts are taken over gRPC and REST as people write them."""

from typing import Any, Final
from uuid import uuid4

import pytest
from google.protobuf.json_format import ParseDict
from medconnect.auth.v1 import session_pb2
from medconnect.clinical.v1 import patient_list_pb2, patient_pb2, prescription_pb2

from server.phone_number import EXPECTED
from tests.fixtures.actors import PASSWORD, Actors
from tests.fixtures.cells import cells
from tests.rpc.calls import FACES, Answer
from tests.rpc.methods import RPCS

PHONES: Final = (
    "(0341) 5550123", "+(44) 20 7946 0018", "555-0123 ext. 7", "0341/5550123", "+49 (0) 341 555 0123", "12345",
    "+49\u2011341\u20115550124", "\uff10\uff13\uff10\uff11\uff12\uff13\uff14\uff15", "030 12345 (Durchwahl 12)",
    "tel: +49 341 555 01 23", "01 23 45 67 89", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666",
)  # fmt: skip
SHORT: Final = ("1", "112", "12-34", "call me", "030 1234567 or 030 7654321", "+", "0" * 30)
TEXTS: Final = {
    "  Anna   Maria ": "Anna Maria",
    "\tAnna\u00a0 Maria\r\n": "Anna Maria",
    "\u5c71\u3000\u7530": "\u5c71\u3000\u7530",
}
ADDRESSES: Final = {
    "user@b\u00fccher.example": "user@xn--bcher-kva.example",
    " User@B\u00dcCHER.example ": "user@xn--bcher-kva.example",
    "user@b\u00fccher\u3002example": "user@xn--bcher-kva.example",
    "j\u00f6rg@\u4f8b\u3048.example": "j\u00f6rg@xn--r8jz45g.example",
}
"""An address as typed, and as stored; before its @ a test puts what makes it unique."""


def create(actors: Actors, face: str, **changes: Any) -> Answer:
    body = {"fullName": "Anna", "dateOfBirth": "1980-05-17", "gender": "female", **changes}
    request = ParseDict({**body, "gender": "GENDER_FEMALE"}, patient_pb2.CreatePatientRequest())
    return FACES[face](actors, RPCS["CreatePatient"], request, actors.doctor)


@cells("face", FACES)
def test_phone_number_is_kept_as_written_and_found(actors: Actors, face: str) -> None:
    for phone in PHONES:
        answer = create(actors, face, phone=phone, emergencyPhone=phone)
        assert answer.ok, (phone, answer)
        patient = answer.body["patient"]
        assert (patient["phone"], patient["emergencyPhone"]) == (phone, phone)
        found = patient_list_pb2.ListPatientsRequest(search=phone, page_size=100)
        listed = FACES[face](actors, RPCS["ListPatients"], found, actors.doctor)
        assert patient["id"] in [one["id"] for one in listed.body["patients"]], phone


@cells("face", FACES)
def test_short_phone_number_is_refused_with_an_example(actors: Actors, face: str) -> None:
    for phone in SHORT:
        answer = create(actors, face, phone=phone)
        assert (answer.reason, answer.fields) == ("VALIDATION_FAILED", ("phone",)), phone
        assert EXPECTED in str(answer.body), answer


@cells("face", FACES)
def test_names_and_medicines_have_room(actors: Actors, face: str) -> None:
    for name in ("A", "\u738b", "x" * 200):
        assert create(actors, face, fullName=name).body["patient"]["fullName"] == name
    assert create(actors, face, fullName="x" * 201).fields == ("fullName",)
    item = prescription_pb2.NewPrescriptionItem(
        medicine_name="m" * 255, dosage="d" * 255, frequency="daily", quantity=1
    )
    request = prescription_pb2.CreatePrescriptionRequest(
        patient_id=create(actors, face).body["patient"]["id"], diagnosis="Cough", items=[item]
    )
    answer = FACES[face](actors, RPCS["CreatePrescription"], request, actors.doctor)
    assert answer.ok, answer
    item.medicine_name, item.dosage = "m" * 256, "d" * 256
    request.items[0].CopyFrom(item)
    assert len(FACES[face](actors, RPCS["CreatePrescription"], request, actors.doctor).fields) == 2


@cells("face", FACES)
def test_texts_are_trimmed_and_inner_blanks_folded(actors: Actors, face: str) -> None:
    for written, stored in TEXTS.items():
        patient = create(actors, face, fullName=written, address=written, allergies=[written]).body["patient"]
        assert (patient["fullName"], patient["address"], patient["allergies"]) == (stored, stored, [stored])


@cells("face", FACES)
@pytest.mark.parametrize("written", ADDRESSES)
def test_address_in_another_script_is_one_account(actors: Actors, face: str, written: str) -> None:
    unique = uuid4().hex[:12]
    typed, stored = (text.lstrip().replace("@", f"{unique}@") for text in (written, ADDRESSES[written]))
    assert create(actors, face, email=typed).ok
    assert create(actors, face, email=stored).reason == "EMAIL_TAKEN"
    found = patient_list_pb2.ListPatientsRequest(search=typed)
    listed = FACES[face](actors, RPCS["ListPatients"], found, actors.doctor)
    assert len(listed.body["patients"]) == 1


@cells("face", FACES)
def test_sign_in_reads_an_address_in_another_script(actors: Actors, face: str) -> None:
    unique = uuid4().hex[:12]
    account = {"email": f"{unique}@b\u00fccher.example", "password": PASSWORD, "fullName": "Ann", "role": "patient"}
    assert actors.rest("POST", "/auth/register", None, account)[0] == 201
    for typed in (f"{unique}@B\u00fccher.example ", f"{unique}@xn--bcher-kva.example"):
        request = session_pb2.LoginRequest(email=typed, password=PASSWORD)
        assert FACES[face](actors, RPCS["Login"], request, None).ok, typed
