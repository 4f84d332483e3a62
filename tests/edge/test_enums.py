"""Enum names in gRPC become short words in REST, and nothing else changes."""

import json

import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import patient_pb2, prescription_pb2, visit_pb2
from medconnect.options.v1 import access_pb2

from tests.edge.conftest import Stand

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_word_in_a_body_becomes_the_enum(stand: Stand) -> None:
    response = await stand.post("/api/v1/users", '{"role": "pharmacist", "gender": "other", "fullName": "admin"}')
    request = stand.toy.seen.request
    assert isinstance(request, auth.CreateUserRequest)
    assert (request.role, request.gender) == (access_pb2.ROLE_PHARMACIST, patient_pb2.GENDER_OTHER)
    assert request.full_name == "admin"
    assert response.json()["data"]["user"]["role"] == "pharmacist"


async def test_a_word_of_two_words_and_an_escaped_key_are_understood(stand: Stand) -> None:
    await stand.post("/api/v1/doctors/medical-visits", '{"visit\\u0054ype": "follow_\\u0075p"}')
    request = stand.toy.seen.request
    assert isinstance(request, clinical.CreateMedicalVisitRequest)
    assert request.visit_type == visit_pb2.VISIT_TYPE_FOLLOW_UP


async def test_words_in_the_query_become_enums(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/users?role=doctor&status=active&search=admin%26role%3Dadmin")
    user = response.json()["data"]["users"][0]
    assert (user["role"], user["status"], user["fullName"]) == ("doctor", "active", "admin&role=admin")


async def test_a_repeated_word_in_the_query_becomes_a_list(stand: Stand) -> None:
    path = "/api/v1/patients/prescriptions?status=partially_dispensed&status=%73canned&pageSize=5"
    response = await stand.rest.get(path)
    request = stand.toy.seen.request
    assert isinstance(request, clinical.ListMyPrescriptionsRequest)
    assert list(request.status) == [
        prescription_pb2.PRESCRIPTION_STATUS_PARTIALLY_DISPENSED,
        prescription_pb2.PRESCRIPTION_STATUS_SCANNED,
    ]
    found = response.json()["data"]["prescriptions"]
    assert [each["status"] for each in found] == ["partially_dispensed", "scanned"]


@pytest.mark.parametrize("word", ["emperor", "unspecified", "DOCTOR", ""])
async def test_another_word_is_refused_with_the_words_there_are(stand: Stand, word: str) -> None:
    for response in (
        await stand.post("/api/v1/users", json.dumps({"role": word})),
        await stand.rest.get("/api/v1/users", params={"role": word}),
    ):
        error = response.json()["error"]
        assert (response.status_code, error["type"]) == (400, "VALIDATION_FAILED")
        assert error["details"] == [{"field": "role", "message": "must be one of admin, doctor, patient, pharmacist"}]


async def test_a_free_text_that_is_an_enum_name_stays_as_it_is(stand: Stand) -> None:
    patient = (await stand.rest.get("/api/v1/doctors/patients/1")).json()["data"]["patient"]
    assert patient["gender"] == "other"
    assert patient["fullName"] == "GENDER_FEMALE"
    assert patient["address"] == '"gender":"GENDER_MALE"'
    assert patient["allergies"] == ["GENDER_FEMALE", "ROLE_ADMIN"]


async def test_a_free_text_that_is_a_word_stays_as_it_is(stand: Stand) -> None:
    body = '{"fullName": "female", "gender": "female", "allergies": ["female", "male"]}'
    response = await stand.post("/api/v1/doctors/patients", body)
    patient = response.json()["data"]["patient"]
    assert (patient["fullName"], patient["gender"]) == ("female", "female")
    assert patient["allergies"] == ["female", "male"]
