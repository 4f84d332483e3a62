"""Neither answers nor their time reveal whether an address has an account."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
import httpx
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from sqlalchemy import text

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.hashing import full_hashing
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import control
from tests.fixtures.sender import Sender
from tests.fixtures.timing_ranks import told_apart

WRONG = "not the present one"
VOLATILE = {"x-request-id", "date", "x-ratelimit-reset", "x-ratelimit-remaining"}


@pytest.fixture(scope="module", autouse=True)
def _full_hashing(instance: RunningInstance) -> Iterator[None]:
    """Makes a missing hash as visible in the time of an answer as it is in production."""
    with full_hashing(instance):
        yield


def said(response: httpx.Response) -> tuple[int, bytes, Mapping[str, str]]:
    """Returns the parts of an answer that do not differ from call to call anyway."""
    headers = {name: value for name, value in response.headers.items() if name not in VOLATILE}
    return response.status_code, re.sub(rb'"requestId":"[^"]*"', b"", response.content), headers


def closed(actors: Actors) -> Actor:
    actor = actors.new_patient()
    assert actors.rest("PUT", f"/users/{actor.user_id}/deactivate", actors.admin, {})[0] == 200
    return actor


@control("S7")
def test_unknown_wrong_and_closed_replies_are_identical(actors: Actors) -> None:
    tries = [(new_email(), PASSWORD), (actors.new_patient().email, WRONG), (closed(actors).email, PASSWORD)]
    answers = [said(actors.http.post("/auth/login", json={"email": e, "password": p})) for e, p in tries]
    assert answers[0][0] == 401
    assert answers[0] == answers[1] == answers[2]


@control("S7")
@pytest.mark.parametrize(
    ("path", "more", "status"),
    [("/auth/forgot-password", {}, 200), ("/auth/reset-password", {"otpCode": "000000", "newPassword": WRONG}, 400)],
)
def test_forgot_and_reset_answer_alike_to_the_byte(actors: Actors, path: str, more: Any, status: int) -> None:
    addresses = (new_email(), actors.new_patient().email, closed(actors).email)
    answers = [said(actors.http.post(path, json={"email": address, **more})) for address in addresses]
    assert answers[0][0] == status
    assert answers[0] == answers[1] == answers[2]


@control("S7")
def test_without_confirmation_a_taken_address_is_refused(actors: Actors) -> None:
    body = {"email": actors.new_patient().email, "password": PASSWORD, "fullName": "Zoe Young"}
    status, answer = actors.rest("POST", "/auth/register", None, body)
    assert (status, answer["error"]["type"]) == (409, "EMAIL_TAKEN")


@control("S7")
def test_registering_taken_address_looks_like_new_one(
    confirming_actors: Actors,
) -> None:
    owner = confirming_actors.new_doctor()
    free, taken = (registered(confirming_actors, address) for address in (new_email(), owner.email))
    assert shape(free) == shape(taken)
    for answer in (free, taken):
        actor = Actor("", "", answer["accessToken"])
        status, own = confirming_actors.rest("GET", "/auth/profile", actor)
        assert (status, own["data"]["user"]) == (200, answer["user"])
        refusal = confirming_actors.rest("GET", "/patients/profile", actor)
        assert (refusal[0], refusal[1]["error"]["type"]) == (403, "EMAIL_NOT_CONFIRMED")
        refreshed, _ = confirming_actors.rest("POST", "/auth/refresh", None, {"refreshToken": answer["refreshToken"]})
        assert refreshed == 200
        login = {"email": answer["user"]["email"], "password": WRONG}
        assert confirming_actors.rest("POST", "/auth/login", None, login)[0] == 401
    Sender(confirming_actors.instance.home).wait(owner.email, "Your address was entered at MedConnect")


def registered(actors: Actors, email: str) -> Mapping[str, Any]:
    body = {"email": email, "password": WRONG, "fullName": "Zoe Young"}
    status, answer = actors.rest("POST", "/auth/register", None, body)
    assert status == 201, answer
    data: Mapping[str, Any] = answer["data"]
    return data


def shape(value: Any) -> Any:
    """Returns the names and kinds of all members of an answer, and the values that are not new each time."""
    if isinstance(value, Mapping):
        return {name: shape(inner) for name, inner in value.items()}
    return value if isinstance(value, bool) or value in ("patient", "active", "Zoe Young", "") else len(str(value))


def forgive(actors: Actors) -> None:
    """Clears recorded failures, so that no account waits for its next try."""

    async def forget() -> None:
        async with actors.instance.core.work.begin() as tx:
            await tx.connection.execute(text("DELETE FROM sign_in_counters"))

    actors.instance.run(forget())


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert error.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT)


@control("S8")
def test_a_sign_in_takes_as_long_with_and_without_an_account(actors: Actors) -> None:
    known = [actors.new_patient().email for _ in range(15)]  # after five failures the next try has to wait
    unknown = [new_email() for _ in known]

    def sign_in(email: str) -> None:
        refused(lambda: actors.auth.Login(auth.LoginRequest(email=email, password=WRONG)))

    shares = told_apart(
        lambda turn: sign_in(known[turn % 15]), lambda turn: sign_in(unknown[turn % 15]), before=lambda: forgive(actors)
    )
    forgive(actors)
    assert not shares


@control("S8")
def test_forgotten_password_takes_equal_time(actors: Actors) -> None:
    known = [actors.new_patient().email for _ in range(12)]

    def forget(email: str) -> None:
        actors.auth.ForgotPassword(auth.ForgotPasswordRequest(email=email))

    assert not told_apart(lambda turn: forget(known[turn % 12]), lambda _: forget(new_email()), at_once=4)


@control("S8")
def test_a_reset_takes_as_long_with_and_without_an_account(actors: Actors) -> None:
    known = [actors.new_patient().email for _ in range(12)]

    def reset(email: str) -> None:
        request = auth.ResetPasswordRequest(email=email, otp_code="000000", new_password=WRONG)
        refused(lambda: actors.auth.ResetPassword(request))

    assert not told_apart(lambda turn: reset(known[turn % 12]), lambda _: reset(new_email()), at_once=4)
