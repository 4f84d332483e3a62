"""Access tokens: their content, their lifetime, and the claims that they require."""

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from server.auth.tokens import access_tokens
from server.auth.tokens.access_tokens import AccessTokens
from server.auth.tokens.keys import KeyRing
from server.identity import Role
from tests.fixtures.cells import cells
from tests.fixtures.clock import FAR, SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.tokens import (
    CALLER,
    DOCTOR,
    KEY,
    NOW,
    RING,
    SECONDS,
    SESSION,
    claims_of,
    header_of,
    refused,
    signed,
    with_header,
)


@pytest.fixture
def time() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def tokens(time: SettableClock) -> AccessTokens:
    return AccessTokens(RING, time.clock, timedelta(minutes=15))


@pytest.fixture
def token(tokens: AccessTokens) -> str:
    return tokens.issue(DOCTOR, SESSION, FAR)[0]


def test_a_token_says_who_calls(tokens: AccessTokens, token: str) -> None:
    assert tokens.verify(token) == CALLER


def test_another_process_with_the_same_secret_takes_it(time: SettableClock, token: str) -> None:
    elsewhere = AccessTokens(KeyRing.derived("a secret for tests, 32 bytes long"), time.clock, timedelta(hours=1))
    assert elsewhere.verify(token) == CALLER


@control("S19")
def test_it_holds_these_claims_and_no_person(tokens: AccessTokens, token: str) -> None:
    claims = claims_of(token)
    assert claims | {"jti": ""} == {
        "iss": "medconnect",
        "aud": "medconnect-api",
        "sub": str(DOCTOR.id),
        "role": "doctor",
        "sid": str(SESSION),
        "jti": "",
        "iat": SECONDS,
        "nbf": SECONDS,
        "exp": SECONDS + 900,
    }
    assert header_of(token) == {"alg": "EdDSA", "kid": KEY.key_id, "typ": "at+jwt"}
    assert claims_of(tokens.issue(DOCTOR, SESSION, FAR, SESSION)[0])["org"] == str(SESSION)
    assert claims["exp"] - claims["iat"] <= 900
    assert claims["jti"] != claims_of(tokens.issue(DOCTOR, SESSION, FAR)[0])["jti"]


def test_a_client_can_verify_it_with_the_public_key(time: SettableClock, tokens: AccessTokens) -> None:
    del time
    token, _ = tokens.issue(DOCTOR, SESSION, FAR)
    decoded = jwt.decode(
        token,
        KEY.public,
        algorithms=["EdDSA"],
        audience="medconnect-api",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert decoded["sub"] == str(DOCTOR.id)


def test_its_end_is_told(tokens: AccessTokens) -> None:
    assert tokens.issue(DOCTOR, SESSION, FAR)[1] == NOW + timedelta(minutes=15)


@control("S26")
def test_it_never_outlives_its_session(tokens: AccessTokens) -> None:
    end = NOW + timedelta(minutes=3, microseconds=999_999)
    token, told = tokens.issue(DOCTOR, SESSION, end)
    assert told == NOW + timedelta(minutes=3)
    assert claims_of(token)["exp"] == SECONDS + 180


@control("S22")
@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize(("seconds", "accepted"), [(-31, False), (-30, True), (929, True), (930, False), (9000, False)])
def test_token_is_valid_within_30_seconds_of_clock_skew(
    tokens: AccessTokens, time: SettableClock, token: str, seconds: int, accepted: bool, seen_before: bool
) -> None:
    if seen_before:
        tokens.verify(token)
    time.forward(seconds=seconds)
    assert (tokens.verify(token) == CALLER) if accepted else refused(tokens, token)


CLAIMS = ("iss", "aud", "sub", "role", "sid", "jti", "iat", "nbf", "exp")
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "another"},
    "issuer list": {"iss": ["medconnect"]},
    "audience": {"aud": "another"},
    "audience list": {"aud": ["medconnect-api"]},
    "subject no id": {"sub": "1 or 1=1"},
    "subject number": {"sub": 7},
    "role unknown": {"role": "superuser"},
    "role number": {"role": 4},
    "session no id": {"sid": ""},
    "token id no id": {"jti": "x"},
    "null": {"exp": None},
    "over": {"iat": SECONDS - 931, "nbf": SECONDS - 931, "exp": SECONDS - 31},
    "not yet": {"nbf": SECONDS + 31},
    "issued later than it begins": {"iat": SECONDS + 31},
    "issued in an hour": {"iat": SECONDS + 3600, "nbf": SECONDS + 3600, "exp": SECONDS + 4500},
    "ends before it begins": {"exp": SECONDS - 1},
    "lives for years": {"exp": SECONDS + 10**8},
    "end as text": {"exp": str(SECONDS + 900)},
    "end as float": {"exp": SECONDS + 900.0},
    "end huge": {"exp": 1e99},
    "end beyond numbers": {"exp": 10**400},
    "end negative": {"exp": -1},
    "end true": {"exp": True},
    "end infinite": {"exp": float("inf")},
    "end no number": {"exp": float("nan")},
    "organisation no id": {"org": "rose"},
    "one claim more": {"email": "doctor@example.org"},
    "of a refresh token": {"typ": "refresh"},
}


@control("S22")
@pytest.mark.parametrize("missing", CLAIMS)
def test_every_claim_is_required_even_of_our_own_key(tokens: AccessTokens, token: str, missing: str) -> None:
    claims = {name: value for name, value in claims_of(token).items() if name != missing}
    assert refused(tokens, signed(token, json.dumps(claims).encode()))


@control("S22")
@cells("changes", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_a_wrong_claim_is_refused_even_of_our_own_key(
    tokens: AccessTokens, token: str, changes: dict[str, Any]
) -> None:
    assert refused(tokens, signed(token, json.dumps(claims_of(token) | changes).encode()))


@control("S22")
@pytest.mark.parametrize("claims", [b"", b"[]", b"null", b"7", b"\xff", b"{", b"[" * 700])
def test_claims_that_are_no_object_are_refused(tokens: AccessTokens, token: str, claims: bytes) -> None:
    assert refused(tokens, signed(token, claims))


def test_the_way_these_tests_sign_is_right(tokens: AccessTokens, token: str) -> None:
    claims = json.dumps(claims_of(token) | {"role": "admin"}).encode()
    assert tokens.verify(signed(token, claims)).role is Role.ADMIN
    assert with_header(token, header_of(token)) == token


def test_only_so_many_tokens_are_remembered(time: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "REMEMBERED_TOKENS", 3)
    tokens = AccessTokens(RING, time.clock, timedelta(minutes=15))
    issued = [tokens.issue(DOCTOR, SESSION, FAR)[0] for _ in range(5)]
    for token in issued * 2:
        assert tokens.verify(token) == CALLER
    assert len(tokens._remembered) == 3


def test_the_keys_show_nothing_secret() -> None:
    assert "Private" not in repr(RING)
    assert RING.root not in repr(RING)
    assert KeyRing.derived("x" * 32).active.key_id != KeyRing.derived("y" * 32).active.key_id
