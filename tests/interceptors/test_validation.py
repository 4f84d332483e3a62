"""Tests the validation rules of the protos from the caller's side."""

import unicodedata
from typing import Any

import grpc
import pytest
from medconnect.clinical.v1 import clinical_service_pb2, patient_pb2

from tests.interceptors.probe import FACES, House

GOOD = clinical_service_pb2.CreatePatientRequest(
    email="paula@example.org",
    full_name="Paula Patient",
    date_of_birth="1980-05-17",
    gender=patient_pb2.GENDER_FEMALE,
    allergies=["Penicillin"],
)


def changed(**changes: Any) -> bytes:
    request = clinical_service_pb2.CreatePatientRequest()
    request.CopyFrom(GOOD)
    for name, value in changes.items():
        if isinstance(value, list):
            del getattr(request, name)[:]
            getattr(request, name).extend(value)
        else:
            setattr(request, name, value)
    return request.SerializeToString()


@pytest.fixture
def strict(house: House) -> House:
    """Serves the toy service with a request that has rules."""
    house.declare(request_type=clinical_service_pb2.CreatePatientRequest)
    return house


@FACES
async def test_a_good_request_reaches_the_handler_parsed(strict: House, face: str) -> None:
    assert (await strict.call(face, strict.bearer(), changed())).code is grpc.StatusCode.OK
    assert strict.probe.requests == [GOOD]


@FACES
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"full_name": ""}, {"fullName"}),
        ({"full_name": "x" * 201, "email": "no address"}, {"fullName", "email"}),
        ({"full_name": "Paula\nPatient"}, {"fullName"}),
        ({"full_name": "Paula\0Patient"}, {"fullName"}),
        ({"date_of_birth": "17.05.1980"}, {"dateOfBirth"}),
        ({"gender": 99}, {"gender"}),
        ({"allergies": ["Nuts", "", "Pollen\x07"]}, {"allergies[2]"}),
        ({"allergies": ["Nuts", ""]}, {"allergies[1]"}),
        ({"allergies": ["Nuts"] * 51}, {"allergies"}),
        ({"allergies": ["Nuts\0"] * 30_000}, {"allergies"}),
    ],
)
async def test_bad_fields_are_named_by_their_json_path(
    strict: House, face: str, changes: dict[str, Any], fields: set[str]
) -> None:
    answer = await strict.call(face, strict.bearer(), changed(**changes))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_FAILED")
    violations = answer.details["BadRequest"].field_violations
    assert {violation.field for violation in violations} == fields
    assert all(violation.description for violation in violations)
    assert strict.probe.requests == []


async def test_texts_arrive_in_normal_form(strict: House) -> None:
    decomposed = unicodedata.normalize("NFD", "Zoë Ångström")
    await strict.call("unary", strict.bearer(), changed(full_name=decomposed, allergies=[decomposed]))
    [request] = strict.probe.requests
    assert isinstance(request, clinical_service_pb2.CreatePatientRequest)
    assert (request.full_name, list(request.allergies)) == ("Zoë Ångström", ["Zoë Ångström"])


@pytest.mark.parametrize("body", [b"\x0a\xff", b"\xff" * 40, b"\x0a\x02\xff\xfe", b"\x0a\x03\xed\xa0\x80"])
async def test_truncated_bodies_and_bad_utf_8_are_malformed(strict: House, body: bytes) -> None:
    assert (await strict.call("unary", strict.bearer(), body)).reason == "MALFORMED_BODY"


async def test_body_above_the_limit_is_rejected(strict: House) -> None:
    answer = await strict.call("unary", strict.bearer(), bytes(257 * 1024))
    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
