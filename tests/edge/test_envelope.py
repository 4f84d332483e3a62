"""Results and failures of the server as REST callers see them."""

import json

import pytest

from tests.edge.conftest import Stand
from tests.edge.toy import LIMITS, PNG, REQUEST_ID

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_success_is_wrapped_with_its_message(stand: Stand) -> None:
    response = await stand.post("/api/v1/auth/logout", "{}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.text == '{"success":true,"message":"Logout successful","data":{}}'


async def test_a_create_answers_201_and_the_message_is_decoded(stand: Stand) -> None:
    response = await stand.post("/api/v1/users", '{"fullName": "A", "role": "doctor"}')
    assert response.status_code == 201
    assert response.json()["message"] == 'Größe „100 %“ + "quoted"'
    assert response.text.startswith('{"success":true,"message":"Größe „100 %“ + \\"quoted\\"","data":{"user":{"id":"",')


async def test_values_of_the_data_come_through_exactly(stand: Stand) -> None:
    text = 'Ü "quoted" \\ \n\t\u0001 漢字 😀 \u2028 </script> {"status":"PRESCRIPTION_STATUS_SCANNED"}'
    response = await stand.scan(text)
    prescription = response.json()["data"]["prescription"]
    assert prescription["diagnosis"] == text
    assert prescription["items"][0]["quantity"] == 20
    assert prescription["patientAllergies"] == []
    assert response.json()["data"]["canDispense"] is False


async def test_response_headers_are_exactly_those_of_the_contract(stand: Stand) -> None:
    response = await stand.scan("x")
    assert set(response.headers) == {
        *("content-type", "content-length", "date", "vary", "x-request-id", *dict(LIMITS)),
        *("cache-control", "content-security-policy", "referrer-policy", "x-content-type-options"),
    }
    assert response.headers["x-ratelimit-remaining"] == "49"


async def test_an_answer_without_a_message_is_not_wrapped(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/auth/profile")
    assert set(response.json()) == {"user"}


async def test_a_large_answer_comes_whole_and_compressed(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/patients/prescriptions?pageSize=100")
    assert response.headers["content-encoding"] == "gzip"
    assert len(response.content) > 2_000_000
    assert response.json()["data"]["totalSize"] == 100


@pytest.mark.parametrize(
    ("text", "status", "type_"),
    [
        ("invalid", 400, "VALIDATION_FAILED"),
        ("range", 400, "VALIDATION_FAILED"),
        ("dispensed", 400, "PRESCRIPTION_DISPENSED"),
        ("unauthenticated", 401, "UNAUTHENTICATED"),
        ("otp", 403, "OTP_REQUIRED"),
        ("missing", 404, "RESOURCE_NOT_FOUND"),
        ("taken", 409, "EMAIL_TAKEN"),
        ("conflict", 409, "VERSION_CONFLICT"),
        ("large", 413, "BODY_TOO_LARGE"),
        ("limited", 429, "RATE_LIMIT_EXCEEDED"),
        ("internal", 500, "INTERNAL"),
        ("unimplemented", 501, "METHOD_UNKNOWN"),
        ("unavailable", 503, "DATABASE_UNAVAILABLE"),
        ("deadline", 504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_every_failure_has_the_contracts_status_and_reason(
    stand: Stand, text: str, status: int, type_: str
) -> None:
    response = await stand.scan(text)
    error = response.json()["error"]
    assert (response.status_code, error["statusCode"], error["type"]) == (status, status, type_)
    assert response.headers["x-request-id"] == error["requestId"] == REQUEST_ID
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["x-ratelimit-remaining"] == "49"


async def test_a_failure_is_written_exactly_so(stand: Stand) -> None:
    response = await stand.scan("dispensed")
    assert response.text == (
        '{"success":false,"error":{"message":"\\"Überfällig\\" \\\\ 漢字 😀","statusCode":400,'
        f'"type":"PRESCRIPTION_DISPENSED","requestId":"{REQUEST_ID}","details":[],'
        '"changedAt":"2026-12-01T10:30:00Z","state":"dispensed"}}'
    )


async def test_field_violations_become_details(stand: Stand) -> None:
    response = await stand.scan("invalid")
    assert response.json()["error"]["details"] == [
        {"field": "items[0].quantity", "message": "must be at least 1"},
        {"field": "unitPrice", "message": 'not "like" this'},
    ]


async def test_metadata_that_is_no_text_is_none_in_rest(stand: Stand) -> None:
    assert (await stand.scan("otp")).json()["error"]["requiresOtp"] is True
    assert (await stand.scan("conflict")).json()["error"]["version"] == 7


async def test_a_refusal_says_when_to_come_back(stand: Stand) -> None:
    response = await stand.scan("limited")
    assert response.headers["retry-after"] == "30"


async def test_a_failure_without_details_gets_the_name_of_its_code(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/pharmacy/logs/1")
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (501, "UNIMPLEMENTED")
    assert error["message"] == "The service cannot process this call."
    assert response.headers["x-request-id"] == error["requestId"] != ""


async def test_the_idempotency_key_and_the_token_reach_the_server(stand: Stand) -> None:
    headers = {"authorization": "Bearer abc", "Idempotency-Key": "0123456789abcdef"}
    await stand.rest.post("/api/v1/pharmacy/scan", json={"qrCode": "x"}, headers=headers)
    assert stand.toy.seen.metadata["authorization"] == "Bearer abc"
    assert stand.toy.seen.metadata["idempotency-key"] == "0123456789abcdef"


async def test_the_qr_code_image_is_its_bytes(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/qr-codes/1/image")
    assert response.headers["content-type"] == "image/png"
    assert response.content == PNG


async def test_a_stream_is_server_sent_events(stand: Stand) -> None:
    path = "/api/v1/events/email-queue/status/stream"
    async with stand.rest.stream("GET", path, headers={"authorization": "Bearer x"}) as response:
        assert response.headers["content-type"] == "text/event-stream"
        chunks = [chunk async for chunk in response.aiter_text()]
    assert len(chunks) == 2, "the first state arrives before the second is sent"
    assert all(chunk.startswith("data: {") and chunk.endswith("}\n\n") for chunk in chunks)
    assert json.loads(chunks[1].removeprefix("data: "))["isHealthy"] is True


async def test_a_stream_that_is_refused_answers_an_error(stand: Stand) -> None:
    response = await stand.rest.get("/api/v1/events/email-queue/status/stream")
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "UNAUTHENTICATED"
