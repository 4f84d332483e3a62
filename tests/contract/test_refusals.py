"""Refusals by the edge and the server: one shape, with the contract's statuses and types."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.contract.shapes import LIMIT_HEADERS, REQUEST_ID, TEXT, TIME, refused
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.instance import ADMIN_EMAIL, RunningInstance, running_instance

ITEM: Final = {"medicineName": "Doxycycline", "dosage": "1", "frequency": "daily", "quantity": 20}
LIMITED: Final = "Too many requests, please try again later."


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@pytest.fixture(scope="module")
def strict(shared_database_url: str) -> Iterator[RunningInstance]:
    """Runs an instance with the contract's rate limits."""
    with running_instance(shared_database_url, rate_limit_factor=1) as running:
        yield running


def told(answer: httpx.Response, **more: Any) -> tuple[int, str, tuple[str, ...]]:
    """Verifies the shape of a refusal, and returns its status, type and fields; `more`: its other members."""
    error = answer.json()["error"]
    assert answer.json() == {
        "success": False,
        "error": {
            "message": TEXT,
            "statusCode": answer.status_code,
            "type": TEXT,
            "requestId": REQUEST_ID,
            "details": [{"field": detail["field"], "message": TEXT} for detail in error["details"]],
            **more,
        },
    }
    return answer.status_code, error["type"], tuple(detail["field"] for detail in error["details"])


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "type_", "fields"),
    [
        ("GET", "/nothing", "", 404, "ROUTE_UNKNOWN", []),
        ("DELETE", "/pharmacy/scan", "", 405, "METHOD_NOT_ALLOWED", []),
        ("POST", "/pharmacy/scan", "{", 400, "MALFORMED_BODY", []),
        ("POST", "/pharmacy/scan", '{"qrCode":7}', 400, "VALIDATION_FAILED", ["qrCode"]),
        ("POST", "/pharmacy/scan?x=1", "{}", 400, "VALIDATION_FAILED", []),
        ("GET", "/users?no=1", "", 400, "VALIDATION_FAILED", ["no"]),
        ("GET", "/users?role=king", "", 400, "VALIDATION_FAILED", ["role"]),
        ("GET", "/users?pageSize=many", "", 400, "VALIDATION_FAILED", ["pageSize"]),
        ("POST", "/pharmacy/scan", '{"qrCode":"' + "x" * 262_144 + '"}', 413, "BODY_TOO_LARGE", []),
    ],
)
def test_unreadable_request_of_any_caller_is_refused_by_edge(
    actors: Actors, method: str, path: str, content: str, status: int, type_: str, fields: list[str]
) -> None:
    headers = {**actors.admin.headers, "content-type": "application/json"} if content else actors.admin.headers
    answer = actors.http.request(method, path, content=content, headers=headers)
    assert told(answer) == (status, type_, tuple(fields))
    assert not LIMIT_HEADERS.keys() & set(answer.headers)
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)


def test_a_body_of_another_type_is_refused(actors: Actors) -> None:
    assert told(actors.http.post("/auth/login", data={"email": "x"})) == (415, "UNSUPPORTED_MEDIA_TYPE", ())


def test_head_returns_allowed_methods_of_path(actors: Actors) -> None:
    answer = actors.http.head("/users", headers=actors.admin.headers)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "GET, POST", b"")


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x.y.z", "Basic YTpi"])
def test_call_with_invalid_token_is_unauthenticated(actors: Actors, token: str) -> None:
    answer = actors.http.get("/auth/profile", headers={"authorization": token} if token else {})
    assert told(answer) == (401, "UNAUTHENTICATED", ())


def test_unknown_body_field_and_unknown_enum_are_refused(actors: Actors, patient: Actor) -> None:
    for body, field in (
        ({"address": "Hill 4", "no_such_field": 1}, "noSuchField"),
        ({"gender": "unspecified"}, "gender"),
    ):
        call = "PUT /patients/profile"
        refused(actors, 400, "VALIDATION_FAILED", call, patient, body, fields=[field], limited=False)


def test_idempotency_key_repeats_response_or_refuses_new_body(actors: Actors, patient: Actor) -> None:
    body: dict[str, Any] = {"patientId": patient.patient_id, "diagnosis": "Sinusitis", "items": [ITEM]}
    headers = {**actors.doctor.headers, "Idempotency-Key": str(uuid4())}
    first, again = (actors.http.post("/doctors/prescriptions", json=body, headers=headers) for _ in range(2))
    assert [answer.status_code for answer in (first, again)] == [201, 201]
    assert first.content == again.content
    assert [answer.headers.get("idempotent-replayed") for answer in (first, again)] == [None, "true"]
    other = actors.http.post("/doctors/prescriptions", json={**body, "diagnosis": "Otitis"}, headers=headers)
    assert told(other) == (400, "IDEMPOTENCY_KEY_REUSED", ())
    headers["Idempotency-Key"] = "short"
    assert told(actors.http.post("/doctors/prescriptions", json=body, headers=headers)) == (
        400,
        "IDEMPOTENCY_KEY_INVALID",
        (),
    )


def test_cancel_of_claimed_prescription_names_the_pharmacy(actors: Actors, patient: Actor) -> None:
    written = actors.prescribe(patient.patient_id)
    actors.claim(written.id, actors.pharmacist)
    call = f"POST /doctors/prescriptions/{written.id}/cancel"
    pharmacy = {"pharmacyName": "Corner Pharmacy", "pharmacyPhone": "", "claimExpiresAt": TIME, "state": "validated"}
    refused(actors, 400, "PRESCRIPTION_CLAIMED", call, actors.doctor, {"reason": "A mistake"}, **pharmacy)


def test_rate_limit_headers_are_on_success_and_refusal(strict: RunningInstance) -> None:
    wrong = {"email": ADMIN_EMAIL, "password": "a wrong password"}
    with httpx.Client(base_url=f"{strict.rest}/api/v1", timeout=30) as rest:
        allowed = rest.get("/auth/jwks")
        answers = [rest.post("/auth/login", json=wrong) for _ in range(6)]
    assert (allowed.status_code, allowed.headers["x-ratelimit-limit"]) == (200, "10")
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"5"}
    assert {told(answer) for answer in answers[:5]} == {(401, "INVALID_CREDENTIALS", ())}
    assert told(answers[-1], limit="login") == (429, "RATE_LIMIT_EXCEEDED", ())
    assert answers[-1].json()["error"]["message"] == LIMITED
    assert int(answers[-1].headers["retry-after"]) > 1
