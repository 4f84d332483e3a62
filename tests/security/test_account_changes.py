"""New passwords and addresses: permission to set them, notice to the owner, and ended sessions."""

from typing import Any

import pytest

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.proofs import control
from tests.fixtures.sender import Sender, body

NEW = "a fresh start, 2041"
WRONG = "not the present one"
CHANGED = "Your MedConnect password was changed"


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


def call(actors: Actors, method: str, path: str, sent: Any, actor: Actor | None) -> tuple[int, str]:
    """Returns the status, and the reason of a refusal."""
    status, answer = actors.rest(method, path, actor, sent)
    return status, "" if status < 300 else answer["error"]["type"]


def subjects(sender: Sender, address: str) -> list[str]:
    return [str(mail["Subject"]) for mail in sender.mails(address)]


@control("S15")
def test_new_password_needs_current_one_and_is_limited(actors: Actors, patient: Actor) -> None:
    change = {"currentPassword": WRONG, "newPassword": NEW}
    for _ in range(5):
        assert call(actors, "PUT", "/auth/change-password", change, patient) == (400, "PASSWORD_WRONG")
    change["currentPassword"] = PASSWORD
    assert call(actors, "PUT", "/auth/change-password", change, patient) == (429, "RATE_LIMIT_EXCEEDED")


@control("S15")
def test_whoever_sets_a_new_password_the_owner_is_told(actors: Actors, patient: Actor, sender: Sender) -> None:
    change = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert call(actors, "PUT", "/auth/change-password", change, patient) == (200, "")
    sender.wait(patient.email, CHANGED)
    sent = {"email": patient.email, "otpCode": actors.reset_code(patient), "newPassword": PASSWORD}
    status, answer = actors.rest("POST", "/auth/reset-password", None, sent)
    assert (status, answer["data"]) == (200, {})  # and no token: a caller who resets a password is not signed in
    sender.wait(patient.email, CHANGED, 2)


@control("S15")
@pytest.mark.parametrize(
    ("more", "reason"), [({}, "VALIDATION_FAILED"), ({"currentPassword": WRONG}, "PASSWORD_WRONG")]
)
def test_a_new_address_needs_the_present_password(
    actors: Actors, patient: Actor, sender: Sender, more: dict[str, str], reason: str
) -> None:
    address = new_email()
    assert call(actors, "PUT", "/auth/profile", {"email": address, **more}, patient) == (400, reason)
    actors.sign_in(patient.email)
    assert subjects(sender, address) == []


@control("S15")
def test_new_address_needs_its_code_and_old_one_is_told(actors: Actors, patient: Actor, sender: Sender) -> None:
    address = new_email()
    status, answer = actors.rest(
        "PUT", "/auth/profile", patient, {"email": address.upper(), "currentPassword": PASSWORD, "phone": "+49 30 99"}
    )
    user = answer["data"]["user"]
    assert (status, user["email"], user["newEmail"], user["phone"]) == (200, patient.email, address, "+49 30 99")
    notice = sender.wait(patient.email, "A new address for your MedConnect account")
    assert address not in body(notice, "plain") + body(notice, "html")
    code = sender.code(address, "Your code to confirm this address")
    assert call(actors, "POST", "/auth/login", {"email": address, "password": PASSWORD}, None)[0] == 401
    assert call(actors, "POST", "/auth/confirm-email", {"otpCode": code}, actors.new_patient()) == (400, "OTP_INVALID")
    status, answer = actors.rest("POST", "/auth/confirm-email", patient, {"otpCode": code})
    user = answer["data"]["user"]
    assert (status, user["email"], user["newEmail"], user["emailConfirmed"]) == (200, address, "", True)
    actors.sign_in(address)
    assert call(actors, "POST", "/auth/login", {"email": patient.email, "password": PASSWORD}, None)[0] == 401
    profile = actors.rest("GET", "/patients/profile", patient)[1]["data"]["patient"]
    assert (profile["email"], profile["phone"]) == (address, "+49 30 99")


@control("S16")
def test_a_new_password_ends_every_session(actors: Actors) -> None:
    email = new_email()
    account = {"email": email, "password": PASSWORD}
    registered = actors.rest("POST", "/auth/register", None, account | {"fullName": "Zoe Young"})
    signed_in = [actors.rest("POST", "/auth/login", None, account) for _ in range(2)]
    answers = [answer["data"] for _, answer in (registered, *signed_in)]
    sessions = [Actor(answer["user"]["id"], email, answer["accessToken"]) for answer in answers]
    reset = {"email": email, "otpCode": actors.reset_code(sessions[0]), "newPassword": NEW}
    assert call(actors, "POST", "/auth/reset-password", reset, None) == (200, "")
    for answer, session in zip(answers, sessions, strict=True):
        assert call(actors, "GET", "/auth/profile", None, session) == (401, "UNAUTHENTICATED")
        refresh = call(actors, "POST", "/auth/refresh", {"refreshToken": answer["refreshToken"]}, None)
        assert refresh == (401, "REFRESH_TOKEN_INVALID")
