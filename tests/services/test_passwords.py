"""Tests password hashing: stored form, matching, and the limit on concurrent checks."""

import asyncio
import re
import threading
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import pytest
from passlib.context import CryptContext

from server.auth.password_hashing import PasswordCheck, Passwords, hashing_threads
from server.errors import ServerBusy
from tests.fixtures.proofs import control

PRESENT = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
NO_MATCH = PasswordCheck(matches=False, replacement=None)
MATCH = PasswordCheck(matches=True, replacement=None)


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    with hashing_threads() as executor:
        yield Passwords(executor)


async def test_a_stored_hash_is_argon2id_of_19_mib_two_passes_one_lane(passwords: Passwords) -> None:
    assert PRESENT.fullmatch(await passwords.hash("korrekt pferd"))


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash("korrekt pferd") != await passwords.hash("korrekt pferd")


@pytest.mark.parametrize("password", ["x" * 128, " leading and trailing ", "🔑 ключ 鍵 مفتاح", "a" * 80 + "b"])
async def test_a_password_matches_itself(passwords: Passwords, password: str) -> None:
    assert await passwords.check(password, await passwords.hash(password)) == MATCH


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Ünter den Erlen Å 각") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("set_as", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
@pytest.mark.parametrize("sent_as", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
async def test_password_matches_in_every_canonical_form(passwords: Passwords, set_as: str, sent_as: str) -> None:
    assert COMPOSED != DECOMPOSED
    assert await passwords.check(sent_as, await passwords.hash(set_as)) == MATCH


async def test_hash_of_unnormalized_password_matches_and_is_replaced(passwords: Passwords) -> None:
    before = CryptContext(["argon2"], argon2__memory_cost=19456, argon2__time_cost=2, argon2__parallelism=1)
    check = await passwords.check(DECOMPOSED, before.hash(DECOMPOSED))
    assert check.matches
    assert await passwords.check(COMPOSED, check.replacement) == MATCH
    assert await passwords.check(DECOMPOSED, check.replacement) == MATCH


async def test_bcrypt_of_unnormalized_password_matches_and_is_replaced(passwords: Passwords) -> None:
    stored = bcrypt.hashpw(DECOMPOSED.encode(), bcrypt.gensalt(4)).decode()
    check = await passwords.check(DECOMPOSED, stored)
    assert check.matches
    assert await passwords.check(COMPOSED, check.replacement) == MATCH


async def test_compatibility_variants_are_different_passwords(passwords: Passwords) -> None:
    assert await passwords.check("correct ｈorse", await passwords.hash("correct horse")) == NO_MATCH


@pytest.mark.parametrize(("sent", "hashes"), [(COMPOSED, 1), (DECOMPOSED, 2)], ids=["composed", "decomposed"])
async def test_unknown_and_wrong_cost_the_same_hashes(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch, sent: str, hashes: int
) -> None:
    checked: list[str] = []
    for name in ("verify", "verify_and_update"):
        original = getattr(CryptContext, name)

        def recording(context: CryptContext, secret: str, stored: str, original: Any = original) -> Any:
            checked.append(stored)
            return original(context, secret, stored)

        monkeypatch.setattr(CryptContext, name, recording)
    for stored in (None, await passwords.hash("another password")):
        checked.clear()
        assert await passwords.check(sent, stored) == NO_MATCH
        assert len(checked) == hashes


@control("S6")
async def test_a_password_is_neither_cut_trimmed_nor_folded(passwords: Passwords) -> None:
    stored = await passwords.hash("p" * 79 + "Q")
    for other in ("p" * 79 + "R", "p" * 79 + "Q ", "p" * 79 + "q", " " + "p" * 79 + "Q"):
        assert await passwords.check(other, stored) == NO_MATCH


async def test_an_unknown_account_never_matches(passwords: Passwords) -> None:
    assert await passwords.check("korrekt pferd", None) == NO_MATCH


async def test_unknown_account_costs_one_check_of_current_parameters(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = CryptContext.verify

    def recording(context: CryptContext, secret: str, stored: str) -> bool:
        checked.append(stored)
        return bool(verify(context, secret, stored))

    monkeypatch.setattr(CryptContext, "verify", recording)
    await passwords.check("korrekt pferd", None)
    assert len(checked) == 1
    assert PRESENT.fullmatch(checked[0])


@control("S3")
@pytest.mark.parametrize("kind", ["2a", "2b", "2y"])
async def test_bcrypt_hash_of_any_library_matches_and_is_replaced(passwords: Passwords, kind: str) -> None:
    stored = bcrypt.hashpw("früher1234".encode(), bcrypt.gensalt(4)).decode().replace("2b", kind, 1)
    check = await passwords.check("früher1234", stored)
    assert check.matches
    assert PRESENT.fullmatch(check.replacement or "")
    assert await passwords.check("früher1234", check.replacement) == MATCH


async def test_a_wrong_password_replaces_nothing(passwords: Passwords) -> None:
    stored = bcrypt.hashpw(b"before1234", bcrypt.gensalt(4)).decode()
    assert await passwords.check("before1235", stored) == NO_MATCH


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "korrekt pferd",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$2x$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi",
        "$2b$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9O",
        "$2b$99$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA",
    ],
)
async def test_unknown_hash_format_matches_no_password(passwords: Passwords, stored: str) -> None:
    assert await passwords.check("korrekt pferd", stored) == NO_MATCH


@control("S6")
async def test_bcrypt_does_not_cut_a_long_password(passwords: Passwords) -> None:
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert await passwords.check("x" * 73, stored) == NO_MATCH
    assert (await passwords.check("x" * 72, stored)).matches


@control("S3")
async def test_a_hash_of_other_parameters_is_replaced(passwords: Passwords) -> None:
    context = CryptContext(["argon2"], argon2__memory_cost=12288, argon2__time_cost=3, argon2__parallelism=1)
    check = await passwords.check("korrekt pferd", context.hash("korrekt pferd"))
    assert check.matches
    assert PRESENT.fullmatch(check.replacement or "")


async def test_the_event_loop_goes_on_while_a_password_is_hashed(passwords: Passwords) -> None:
    hashing = asyncio.create_task(passwords.hash("korrekt pferd"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


async def test_check_that_waits_too_long_for_a_thread_is_rejected_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.auth.password_hashing.LONGEST_WAIT_SECONDS", 0.02)
    free = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        passwords = Passwords(thread)
        thread.submit(free.wait)
        waiting = asyncio.create_task(passwords.hash("korrekt pferd"))
        await asyncio.sleep(0.05)
        free.set()
        with pytest.raises(ServerBusy):
            await waiting
