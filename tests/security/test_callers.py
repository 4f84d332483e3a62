"""The one verified token determines the caller over gRPC and REST: no other header, no second token spelling."""

import re
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc

from tests.fixtures.actors import PASSWORD, Actor, Actors
from tests.fixtures.proofs import control
from tests.security.test_forged_tokens import FORGERIES

SENDABLE = re.compile(r"[ -~]{1,4000}")
"""Characters that headers can hold."""

Headers = list[tuple[str, str]]
Ask = Callable[[Actors, Headers], tuple[Any, str, str]]
"""Gets the caller's own account; returns the status, the reason or account id, and the rest of the answer."""


def ask_grpc(actors: Actors, headers: Headers) -> tuple[Any, str, str]:
    stub = auth_service_pb2_grpc.AuthServiceStub(actors.channel)
    try:
        answer = stub.GetCurrentUser(auth.GetCurrentUserRequest(), metadata=tuple(headers), timeout=10)
    except grpc.RpcError as error:
        return error.code(), "", str(error.details())
    return grpc.StatusCode.OK, answer.user.id, ""


def ask_rest(actors: Actors, headers: Headers) -> tuple[Any, str, str]:
    answer = actors.http.send(httpx.Request("GET", f"{actors.instance.rest}/api/v1/auth/profile", headers=headers))
    told = answer.json()
    if told["success"]:
        return answer.status_code, told["data"]["user"]["id"], ""
    told["error"].pop("requestId")
    return answer.status_code, told["error"]["type"], str(told["error"])


FACES = pytest.mark.parametrize("ask", [ask_grpc, ask_rest], ids=["grpc", "rest"])
TWINS: dict[str, Callable[[str], str]] = {
    "itself": lambda token: f"Bearer {token}",
    "one padding character": lambda token: f"Bearer {token}=",
    "two padding characters": lambda token: f"Bearer {token}==",
    "lower-case scheme": lambda token: f"bearer {token}",
    "doubled spaces": lambda token: f"Bearer  {token}",
    "signature spelt otherwise": lambda token: "Bearer " + FORGERIES["signature spelt otherwise"](token),
    "second scalar": lambda token: "Bearer " + FORGERIES["signature with a second scalar"](token),
}


@control("S27")
@FACES
def test_after_the_logout_no_twin_of_the_token_is_accepted(actors: Actors, ask: Ask) -> None:
    signed_in = actors.new_patient()
    actors.auth.Logout(auth.LogoutRequest(), metadata=signed_in.metadata)
    refusal = ask(actors, [])
    assert refusal[0] in (grpc.StatusCode.UNAUTHENTICATED, 401)
    told = {name: ask(actors, [("authorization", twin(signed_in.token))]) for name, twin in TWINS.items()}
    assert told == dict.fromkeys(TWINS, refusal)


@control("S20")
@FACES
def test_forged_tokens_are_answered_like_none(actors: Actors, ask: Ask) -> None:
    token, refusal = actors.doctor.token, ask(actors, [])
    forged = {name: forge(token) for name, forge in FORGERIES.items()}
    sendable = {name: text for name, text in forged.items() if SENDABLE.fullmatch(text)}
    assert len(sendable) > 40
    told = {name: ask(actors, [("authorization", f"Bearer {text}")]) for name, text in sendable.items()}
    assert told == dict.fromkeys(sendable, refusal)


@control("S22")
@FACES
def test_neither_token_is_taken_for_the_other(actors: Actors, ask: Ask) -> None:
    answer = actors.auth.Login(auth.LoginRequest(email=actors.new_patient().email, password=PASSWORD))
    assert ask(actors, [("authorization", f"Bearer {answer.refresh_token}")]) == ask(actors, [])
    status, refused = actors.rest("POST", "/auth/refresh", None, {"refreshToken": answer.access_token[:200]})
    assert (status, refused["error"]["type"]) == (401, "REFRESH_TOKEN_INVALID")
    assert ask(actors, [("authorization", f"Bearer {answer.access_token}")])[1] == answer.user.id


@control("S29")
@FACES
def test_headers_that_claim_an_identity_change_nothing(actors: Actors, ask: Ask) -> None:
    patient: Actor = actors.new_patient()
    claims = [
        *(("x-role", "admin"), ("x-user-id", actors.admin.user_id), ("x-forwarded-user", "admin")),
        *(("x-envoy-internal", "true"), ("x-client-ip", "203.0.113.9"), ("x-envoy-original-path", "/api/v1/users")),
    ]
    assert ask(actors, [*claims, *patient.metadata])[1] == patient.user_id
    assert ask(actors, claims) == ask(actors, [])
    listing = actors.http.get("/users", headers=[*claims, *patient.metadata])
    assert (listing.status_code, listing.json()["error"]["type"]) == (403, "ROLE_NOT_ALLOWED")


@control("S29")
@FACES
@pytest.mark.parametrize("order", [1, -1], ids=["good first", "bad first"])
def test_two_authorization_values_are_none(actors: Actors, ask: Ask, order: int) -> None:
    values = [*actors.doctor.metadata, ("authorization", "Bearer bad")][::order]
    assert ask(actors, values) == ask(actors, [])
    assert ask(actors, [*actors.doctor.metadata, *actors.doctor.metadata]) == ask(actors, [])
