"""The rules for accepting passwords, and how exactly they are compared, from outside."""

import time
from typing import Any

import pytest

from tests.fixtures.actors import Actors, new_email
from tests.fixtures.pace import within
from tests.fixtures.proofs import control


def register(actors: Actors, password: str) -> tuple[str, int, dict[str, Any]]:
    """Registers with that password; returns the address and the answer."""
    email = new_email()
    return email, *actors.rest(
        "POST", "/auth/register", None, {"email": email, "password": password, "fullName": "Zoe"}
    )


def opens(actors: Actors, email: str, password: str) -> bool:
    status, _ = actors.rest("POST", "/auth/login", None, {"email": email, "password": password})
    assert status in (200, 401)
    return status == 200


@control("S4")
@pytest.mark.parametrize(
    "password", ["qwhgzjkl", "qwhgzjkl" * 16, "   spaces   and 🔑 🚪  ", "ключ от 鍵 مفتاح", "🔑" * 128]
)
def test_any_8_to_128_characters_are_a_password(actors: Actors, password: str) -> None:
    email, status, answer = register(actors, password)
    assert status == 201, answer
    assert opens(actors, email, password)


@control("S4")
@pytest.mark.parametrize("password", ["seven77", "x" * 129, "🔑" * 129, "é" * 7])
def test_fewer_or_more_are_not(actors: Actors, password: str) -> None:
    _, status, answer = register(actors, password)
    assert (status, answer["error"]["type"]) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in answer["error"]["details"]] == ["password"]


@control("S4")
def test_a_password_of_1025_bytes_is_refused_before_any_work(actors: Actors) -> None:
    took = []
    for _ in range(5):
        begun = time.monotonic()
        assert register(actors, "x" * 1025)[1] == 400
        took.append(time.monotonic() - begun)
    assert min(took) < within(0.05)


@control("S6")
def test_a_password_is_compared_as_it_was_sent(actors: Actors) -> None:
    password = "a password that no attacker would guess, however long they try, is cut nowhere in it"[:79] + "a"
    email, status, _ = register(actors, password)
    assert (status, len(password)) == (201, 80)
    for other in (password[:-1] + "b", password + " ", " " + password, password.upper()):
        assert not opens(actors, email, other)
    assert opens(actors, email, password)
