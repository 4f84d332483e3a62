"""Tests one-time codes: how they are drawn, their stored form, and the values that they are bound to."""

import hashlib
import hmac
import secrets
from collections import Counter
from dataclasses import replace
from itertools import combinations
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from server.auth.rules.one_time_codes import CodeScope, Purpose, issue, stored_hash
from server.outbox.sealed_codes import CodeSeal
from tests.fixtures.proofs import control

KEY = b"k" * 32
SCOPE = CodeScope(UUID(int=1), Purpose.PASSWORD_RESET)
SCOPES = [
    SCOPE,
    replace(SCOPE, user_id=UUID(int=2)),
    CodeScope(UUID(int=1), Purpose.HISTORY_ACCESS, UUID(int=3)),
    CodeScope(UUID(int=1), Purpose.HISTORY_ACCESS, UUID(int=4)),
]


@control("S10")
def test_codes_have_six_uniformly_distributed_digits() -> None:
    codes = [issue(SCOPE, KEY).text for _ in range(3000)]
    assert all(len(code) == 6 and code.isdecimal() and code.isascii() for code in codes)
    for place in range(6):
        seen = Counter(code[place] for code in codes)
        # Chi-square with 9 degrees of freedom exceeds 45 once in a million runs.
        assert sum((seen[digit] - 300) ** 2 / 300 for digit in "0123456789") < 45


@control("S10")
def test_a_small_number_keeps_its_leading_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda below: 42)
    assert issue(SCOPE, KEY).text == "000042"


@control("S12")
@pytest.mark.parametrize(("one", "other"), list(combinations(SCOPES, 2)))
def test_stored_code_differs_by_user_purpose_and_session(one: CodeScope, other: CodeScope) -> None:
    assert stored_hash("123456", one, KEY) != stored_hash("123456", other, KEY)


@control("S13")
def test_stored_code_reveals_nothing_without_the_key() -> None:
    code = issue(SCOPE, KEY)
    assert code.hash == stored_hash(code.text, SCOPE, KEY) != stored_hash(code.text, SCOPE, b"x" * 32)
    text = code.text.encode()
    for guess in (hashlib.sha256(text), hashlib.sha1(text), hashlib.md5(text), hmac.new(b"", text, "sha256")):  # noqa: S324
        assert guess.digest() != code.hash


def test_sealed_code_decrypts_only_for_its_recipient_and_key() -> None:
    seal, recipient = CodeSeal(KEY), UUID(int=1)
    sealed = seal.close("042871", recipient)
    assert seal.open(sealed, recipient) == "042871"
    assert b"042871" not in sealed
    assert seal.close("042871", recipient) != sealed
    damaged = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))]
    for opener, text, whose in [
        (seal, sealed, UUID(int=2)),
        (CodeSeal(b"x" * 32), sealed, recipient),
        *((seal, bad, recipient) for bad in damaged),
    ]:
        with pytest.raises(InvalidTag):
            opener.open(text, whose)
