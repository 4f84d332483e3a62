"""Registration, sign-in, profiles and the administration of accounts: every REST response, exactly."""

from typing import Any, Final

import pytest

from tests.contract.shapes import (
    ACCESS_TOKEN,
    ID,
    PAGE_TOKEN,
    REFERENCE,
    REFRESH_TOKEN,
    REQUEST_ID,
    TEXT,
    TIME,
    WHOLE_PAGE,
    refused,
    succeeded,
    user,
)
from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email

TOKENS: Final = {
    "accessToken": ACCESS_TOKEN,
    "refreshToken": REFRESH_TOKEN,
    "expiresAt": TIME,
    "idleSeconds": 24 * 3600,
}
OF_STAFF: Final = {**TOKENS, "idleSeconds": 30 * 60}
DOCTOR: Final = {"licenseNumber": "MD-9", "specialization": "Surgery", "hospitalName": "St. Luke's"}
PHARMACIST: Final = {"licenseNumber": "PH-9", "pharmacyName": "Corner", "pharmacyAddress": "Main Street 1"}
SAID: Final = "Registration successful"


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


def application(**fields: Any) -> dict[str, Any]:
    return {"email": new_email(), "password": PASSWORD, "fullName": "Rosa Register", **fields}


def test_a_patient_registers_and_has_a_record(actors: Actors) -> None:
    body = application(phone="+41 44 123 45 67", dateOfBirth="1980-01-31", gender="female", bloodType="O+")
    assert succeeded(actors, 201, SAID, "POST /auth/register", body=body) == {
        "user": user(body["email"], "patient", fullName="Rosa Register", phone="+41 44 123 45 67"),
        "patient": {"id": ID, "referenceNumber": REFERENCE},
        **TOKENS,
    }


@pytest.mark.parametrize(("role", "fields"), [("doctor", DOCTOR), ("pharmacist", PHARMACIST)])
def test_a_professional_registers_and_waits(actors: Actors, role: str, fields: dict[str, str]) -> None:
    body = application(role=role, **fields)
    answered = succeeded(actors, 201, SAID, "POST /auth/register", body=body)
    assert answered == {"user": user(body["email"], role, status="unverified", **fields), **OF_STAFF}
    waiting = Actor(answered["user"]["id"], body["email"], answered["accessToken"])
    path = {"doctor": "GET /doctors/patients", "pharmacist": "GET /pharmacy/history"}[role]
    refused(actors, 403, "ACCOUNT_NOT_VERIFIED", path, waiting)


def test_nobody_registers_as_admin_or_with_a_strangers_address(actors: Actors, patient: Actor) -> None:
    refused(actors, 400, "VALIDATION_FAILED", "POST /auth/register", body=application(role="admin"), fields=["role"])
    taken = application(email=patient.email)
    refused(actors, 409, "EMAIL_TAKEN", "POST /auth/register", body=taken)
    wrong = {"email": "not an address", "password": "short", "fullName": ""}
    fields = ["email", "password", "fullName"]
    refused(actors, 400, "VALIDATION_FAILED", "POST /auth/register", body=wrong, fields=fields)


def test_a_session_is_opened_renewed_and_ended(actors: Actors, patient: Actor) -> None:
    expected = {"user": user(patient.email, "patient"), **TOKENS}
    credentials = {"email": patient.email, "password": PASSWORD}
    first = succeeded(actors, 200, "Login successful", "POST /auth/login", body=credentials)
    assert first == expected
    token = {"refreshToken": first["refreshToken"]}
    second = succeeded(actors, 200, "Token refreshed successfully", "POST /auth/refresh", body=token)
    assert second == expected
    actor = Actor(patient.user_id, patient.email, second["accessToken"])
    assert succeeded(actors, 200, "Logout successful", "POST /auth/logout", actor) == {}
    refused(actors, 401, "UNAUTHENTICATED", "GET /auth/profile", actor)
    token = {"refreshToken": second["refreshToken"]}
    refused(actors, 401, "REFRESH_TOKEN_INVALID", "POST /auth/refresh", body=token)
    wrong = {**credentials, "password": "a wrong password"}
    refused(actors, 401, "INVALID_CREDENTIALS", "POST /auth/login", body=wrong)


def test_ones_own_account_is_shown_and_changed(actors: Actors, patient: Actor) -> None:
    own = user(patient.email, "patient")
    assert succeeded(actors, 200, "Profile retrieved successfully", "GET /auth/profile", patient) == {"user": own}
    change = {"phone": "+41 44 999 99 99"}
    changed = succeeded(actors, 200, "Profile updated successfully", "PUT /auth/profile", patient, change)
    assert changed == {"user": {**own, **change}}
    code = {"otpCode": actors.confirmation_code(patient)}
    said = "Email address confirmed successfully"
    assert succeeded(actors, 200, said, "POST /auth/confirm-email", patient, code) == {"user": {**own, **change}}
    refused(actors, 400, "OTP_INVALID", "POST /auth/confirm-email", patient, code, fields=["otpCode"])


def test_a_password_is_changed_and_a_forgotten_one_set_anew(actors: Actors, patient: Actor) -> None:
    change = {"currentPassword": PASSWORD, "newPassword": "another fine horse 77"}
    assert succeeded(actors, 200, "Password changed successfully", "PUT /auth/change-password", patient, change) == {}
    refused(actors, 400, "PASSWORD_WRONG", "PUT /auth/change-password", patient, change, fields=["currentPassword"])
    said = "If there is an account with this address, a code is on its way to it"
    assert succeeded(actors, 200, said, "POST /auth/forgot-password", body={"email": new_email()}) == {}
    reset = {"email": patient.email, "otpCode": actors.reset_code(patient), "newPassword": "a third horse, 2041"}
    assert succeeded(actors, 200, "Password reset successfully", "POST /auth/reset-password", body=reset) == {}
    refused(actors, 400, "OTP_INVALID", "POST /auth/reset-password", body=reset, fields=["otpCode"])
    common = {**reset, "newPassword": "passwordpassword"}
    refused(actors, 400, "PASSWORD_BREACHED", "POST /auth/reset-password", body=common, fields=["newPassword"])


def test_the_keys_are_answered_bare(actors: Actors) -> None:
    key = {"kty": "OKP", "crv": "Ed25519", "x": REFRESH_TOKEN, "kid": TEXT, "use": "sig", "alg": "EdDSA"}
    assert actors.http.get("/auth/jwks").json() == {"keys": [key]}


def test_an_admin_makes_verifies_closes_and_opens_accounts(actors: Actors) -> None:
    another_admin = actors.new_admin()
    body = application(fullName="Phil Pharmacist", role="pharmacist", **PHARMACIST)
    made = succeeded(actors, 201, "User created successfully", "POST /users", actors.admin, body)
    account = user(body["email"], "pharmacist", fullName="Phil Pharmacist", **PHARMACIST)
    assert made == {"user": {**account, "status": "unverified"}}
    path = f"/users/{made['user']['id']}"
    assert succeeded(actors, 200, "User retrieved successfully", f"GET {path}", actors.admin) == made
    for action, status in (("verify", "active"), ("deactivate", "deactivated"), ("reactivate", "active")):
        said = f"User {'verified' if action == 'verify' else f'{action}d'} successfully"
        changed = succeeded(actors, 200, said, f"PUT {path}/{action}", another_admin, {})
        assert changed == {"user": {**account, "status": status}}
    listed = succeeded(actors, 200, "Users retrieved successfully", f"GET /users?search={body['email']}", actors.admin)
    assert listed == {"users": [account], "totalSize": 1, **WHOLE_PAGE}


def test_what_an_admin_may_not_do_is_said(actors: Actors, patient: Actor) -> None:
    own, nobody = f"/users/{actors.admin.user_id}", "/users/0193d1c0-0000-7000-8000-000000000000"
    refused(actors, 400, "OWN_ACCOUNT", f"PUT {own}/deactivate", actors.admin, {})
    refused(actors, 404, "RESOURCE_NOT_FOUND", f"GET {nobody}", actors.admin, resource="account")
    refused(actors, 404, "RESOURCE_NOT_FOUND", f"PUT {nobody}/verify", actors.admin, {}, resource="account")
    refused(actors, 400, "VALIDATION_FAILED", "GET /users/7", actors.admin, fields=["userId"])
    refused(actors, 400, "PAGE_TOKEN_INVALID", "GET /users?pageToken=x", actors.admin, fields=["pageToken"])
    refused(actors, 400, "VALIDATION_FAILED", "GET /users?pageSize=101", actors.admin, fields=["pageSize"])
    refused(actors, 403, "ROLE_NOT_ALLOWED", "GET /users", patient)


def test_the_audit_tells_who_did_what(actors: Actors) -> None:
    for _ in range(2):
        succeeded(actors, 200, "User retrieved successfully", f"GET /users/{actors.doctor.user_id}", actors.admin)
    newest = "GET /audit?event=account_read&pageSize=1"
    answered = succeeded(actors, 200, "Audit records retrieved successfully", newest, actors.admin)
    entry = {
        "id": ID,
        "occurredAt": TIME,
        "event": "account_read",
        "action": "read",
        "outcome": "success",
        "actorId": actors.admin.user_id,
        "actorName": "Administrator",
        "actorRole": "admin",
        "sessionId": ID,
        "address": "127.0.0.1",
        "userAgent": TEXT,
        "rpc": "medconnect.auth.v1.AuthService/GetUser",
        "objectKind": "account",
        "objectId": actors.doctor.user_id,
        "patientIds": [],
        "purpose": "HSYSADMIN",
        "requestId": REQUEST_ID,
        "reason": "",
    }
    assert answered.pop("totalSize") >= 2
    assert answered == {"entries": [entry], "nextPageToken": PAGE_TOKEN, "totalSizeIsMinimum": False}
