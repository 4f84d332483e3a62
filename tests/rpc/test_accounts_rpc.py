"""Passwords, closed accounts and keys as callers see them, over gRPC and REST."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
import jwt
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.proofs import control
from tests.fixtures.sender import Sender
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS

NEW: Final = "a fresh start, 2041"


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


def called(actors: Actors, method: str, path: str, body: Any = None, actor: Actor | None = None) -> Mapping[str, Any]:
    """Returns the data of a successful REST call."""
    status, answer = actors.rest(method, path, actor, body)
    assert status == 200, answer
    data: Mapping[str, Any] = answer["data"]
    return data


def refused(
    actors: Actors, method: str, path: str, body: Any, actor: Actor | None = None
) -> tuple[int, str, list[str]]:
    """Returns status, type and fields of a failed REST call."""
    status, answer = actors.rest(method, path, actor, body)
    error = answer["error"]
    return status, error["type"], [detail["field"] for detail in error["details"]]


def test_the_key_set_is_answered_bare_and_verifies_access_tokens(actors: Actors, patient: Actor) -> None:
    response = actors.http.get("/auth/jwks")
    assert response.status_code == 200
    (key,) = response.json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert jwt.get_unverified_header(patient.token)["kid"] == key["kid"]
    claims = jwt.decode(patient.token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="medconnect-api")
    assert claims["sub"] == patient.user_id
    native = over_grpc(actors, RPCS["GetKeySet"], auth.GetKeySetRequest(), None)
    assert native.body == response.json()


def test_a_forgotten_password_is_set_anew_with_the_mailed_code(actors: Actors, patient: Actor) -> None:
    assert called(actors, "POST", "/auth/forgot-password", {"email": patient.email}) == {}
    sender = Sender(actors.instance.home)
    code = sender.code(patient.email, "Your code for a new MedConnect password")

    reset = {"email": patient.email, "otpCode": f"{code[:3]} {code[3:]}\r\n", "newPassword": NEW}
    assert called(actors, "POST", "/auth/reset-password", reset) == {}  # and no token
    assert refused(actors, "POST", "/auth/reset-password", reset) == (400, "OTP_INVALID", ["otpCode"])
    assert actors.rest("GET", "/auth/profile", patient)[0] == 401
    assert refused(actors, "POST", "/auth/login", {"email": patient.email, "password": PASSWORD})[0] == 401
    actors.sign_in(patient.email, NEW)
    sender.wait(patient.email, "Your MedConnect password was changed")


@control("S5")
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("passwordpassword", "PASSWORD_BREACHED"),
        ("123456789012345", "PASSWORD_BREACHED"),
        ("qwertyuiopasdfgh", "PASSWORD_BREACHED"),
        ("medconnect2026!!", "PASSWORD_CONTEXT"),
        ("{local}{local}123", "PASSWORD_CONTEXT"),
    ],
)
def test_a_guessable_password_is_refused_wherever_one_is_set(
    actors: Actors, patient: Actor, password: str, reason: str
) -> None:
    def of(address: str) -> str:
        return password.format(local=address.partition("@")[0])

    address = new_email()
    account = {"email": address, "fullName": "Zoe Young", "password": of(address)}
    assert refused(actors, "POST", "/auth/register", account) == (400, reason, ["password"])
    made = {**account, "role": "patient"}
    assert refused(actors, "POST", "/users", made, actors.admin) == (400, reason, ["password"])
    change = {"currentPassword": PASSWORD, "newPassword": of(patient.email)}
    assert refused(actors, "PUT", "/auth/change-password", change, patient) == (400, reason, ["newPassword"])
    reset = {"email": patient.email, "otpCode": actors.reset_code(patient), "newPassword": of(patient.email)}
    assert refused(actors, "POST", "/auth/reset-password", reset) == (400, reason, ["newPassword"])


def test_changed_password_ends_all_other_sessions(actors: Actors, patient: Actor) -> None:
    other = actors.sign_in(patient.email)
    wrong = {"currentPassword": "not the present one", "newPassword": NEW}
    told = refused(actors, "PUT", "/auth/change-password", wrong, patient)
    assert told == (400, "PASSWORD_WRONG", ["currentPassword"])
    right = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert called(actors, "PUT", "/auth/change-password", right, patient) == {}
    assert actors.rest("GET", "/auth/profile", patient)[0] == 200
    assert actors.rest("GET", "/auth/profile", other)[0] == 401


@control("S9")
def test_sixth_wrong_password_waits_for_any_address(actors: Actors, patient: Actor) -> None:
    told = []
    for address in (patient.email, new_email()):
        attempt = {"email": address, "password": "not the present one"}
        for _ in range(5):
            assert refused(actors, "POST", "/auth/login", attempt)[:2] == (401, "INVALID_CREDENTIALS")
        response = actors.http.post("/auth/login", json=attempt)
        assert (response.status_code, response.json()["error"]["type"]) == (429, "RATE_LIMIT_EXCEEDED")
        told.append((response.headers["retry-after"], response.json()["error"]["message"]))
    assert told[0] == told[1] == ("1", "Too many requests, please try again later.")


def test_admin_change_of_account_takes_effect_at_once(actors: Actors, patient: Actor) -> None:
    path = f"/users/{patient.user_id}"
    assert called(actors, "GET", path, actor=actors.admin)["user"]["email"] == patient.email
    assert called(actors, "PUT", f"{path}/deactivate", {}, actors.admin)["user"]["status"] == "deactivated"
    assert actors.rest("GET", "/auth/profile", patient)[0] == 401
    assert refused(actors, "POST", "/auth/login", {"email": patient.email, "password": PASSWORD})[0] == 401
    assert called(actors, "PUT", f"{path}/reactivate", {}, actors.admin)["user"]["status"] == "active"
    assert actors.rest("GET", "/auth/profile", patient)[0] == 401
    assert actors.rest("GET", "/auth/profile", actors.sign_in(patient.email))[0] == 200


def test_an_admin_cannot_close_the_account_he_acts_with(actors: Actors) -> None:
    path = f"/users/{actors.admin.user_id}/deactivate"
    assert refused(actors, "PUT", path, {}, actors.admin)[:2] == (400, "OWN_ACCOUNT")
    assert actors.rest("GET", "/auth/profile", actors.admin)[0] == 200


def test_a_stream_of_a_closed_admin_is_not_opened_again(actors: Actors) -> None:
    request = auth.CreateUserRequest(
        email=new_email(), password=PASSWORD, full_name="Ada Second", role=access_pb2.ROLE_ADMIN
    )
    actors.auth.CreateUser(request, metadata=actors.admin.metadata)
    second = actors.sign_in(request.email)
    assert (
        called(actors, "PUT", f"/users/{second.user_id}/deactivate", {}, actors.admin)["user"]["status"]
        == "deactivated"
    )
    watch = over_grpc(actors, RPCS["WatchEmailQueueStatus"], events.WatchEmailQueueStatusRequest(), second)
    assert watch.status is grpc.StatusCode.UNAUTHENTICATED
