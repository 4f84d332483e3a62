"""Access tokens: what they say, how long they hold, and that nothing else is taken for one."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.auth import access_tokens
from server.auth.access_tokens import AccessTokens
from server.auth.entities import User, UserStatus
from server.auth.keys import SigningKey
from server.errors import Unauthenticated
from server.identity import Caller, Role
from tests.fixtures.clock import SettableClock

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
KEY = SigningKey.derive(b"a secret for tests, 32 bytes long")
OTHER_KEY = SigningKey.derive(b"another secret, also of 32 bytes!")
SESSION = UUID("01930000-0000-7000-8000-000000000002")
DOCTOR = User(
    id=UUID("01930000-0000-7000-8000-000000000001"),
    email="doctor@example.org",
    full_name="Greta Doctor",
    phone="",
    role=Role.DOCTOR,
    status=UserStatus.ACTIVE,
    license_number="L-1",
    specialization="",
    hospital_name="",
    pharmacy_name="",
    pharmacy_address="",
    created_at=NOW,
)
CALLER = Caller(DOCTOR.id, Role.DOCTOR, SESSION)


@pytest.fixture
def time() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def tokens(time: SettableClock) -> AccessTokens:
    return AccessTokens(KEY, time.clock, timedelta(minutes=15))


@pytest.fixture
def token(tokens: AccessTokens) -> str:
    return tokens.issue(DOCTOR, SESSION)[0]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def segment(value: Any) -> str:
    return b64(json.dumps(value, separators=(",", ":")).encode())


def read(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def header_of(token: str) -> dict[str, Any]:
    header: dict[str, Any] = read(token.split(".")[0])
    return header


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = read(token.split(".")[1])
    return claims


def signed(token: str, claims: bytes) -> str:
    """Other claims under the token's own header, with a good signature of our own key."""
    head = f"{token.split('.')[0]}.{b64(claims)}"
    return f"{head}.{b64(KEY.private.sign(head.encode()))}"


def with_header(token: str, header: dict[str, Any]) -> str:
    """The token's claims under another header, with a good signature of our own key."""
    head = f"{segment(header)}.{token.split('.')[1]}"
    return f"{head}.{b64(KEY.private.sign(head.encode()))}"


def refused(tokens: AccessTokens, token: str) -> bool:
    """Whether a token is refused, in the same words as any other."""
    with pytest.raises(Unauthenticated) as refusal:
        tokens.verify(token)
    return (type(refusal.value), refusal.value.text) == (Unauthenticated, "Sign in first.")


def test_a_token_says_who_calls(tokens: AccessTokens, token: str) -> None:
    assert tokens.verify(token) == CALLER


def test_another_process_with_the_same_secret_takes_it(time: SettableClock, token: str) -> None:
    elsewhere = AccessTokens(SigningKey.derive(b"a secret for tests, 32 bytes long"), time.clock, timedelta(hours=1))
    assert elsewhere.verify(token) == CALLER


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
    assert claims["jti"] != claims_of(tokens.issue(DOCTOR, SESSION)[0])["jti"]


def test_a_client_can_verify_it_with_the_public_key(time: SettableClock, tokens: AccessTokens) -> None:
    del time
    token, _ = tokens.issue(DOCTOR, SESSION)
    decoded = jwt.decode(
        token,
        KEY.private.public_key(),
        algorithms=["EdDSA"],
        audience="medconnect-api",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert decoded["sub"] == str(DOCTOR.id)


def test_its_end_is_told(tokens: AccessTokens) -> None:
    assert tokens.issue(DOCTOR, SESSION)[1] == NOW + timedelta(minutes=15)


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize(("seconds", "accepted"), [(-31, False), (-30, True), (929, True), (930, False), (9000, False)])
def test_it_holds_from_issue_to_end_with_30_seconds_for_wrong_clocks(
    tokens: AccessTokens, time: SettableClock, token: str, seconds: int, accepted: bool, seen_before: bool
) -> None:
    if seen_before:
        tokens.verify(token)
    time.forward(seconds=seconds)
    assert (tokens.verify(token) == CALLER) if accepted else refused(tokens, token)


def public_bytes(encoding: serialization.Encoding, style: serialization.PublicFormat) -> bytes:
    return KEY.private.public_key().public_bytes(encoding, style)


PEM = public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
DER = public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
RAW = public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
JWK = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": b64(RAW)}).encode()


def unsigned(algorithm: str) -> Callable[[str], str]:
    return lambda t: f"{segment(header_of(t) | {'alg': algorithm})}.{t.split('.')[1]}."


def hmac_with(key: bytes) -> Callable[[str], str]:
    """HS256 with the public key as its secret."""

    def forge(token: str) -> str:
        head = f"{segment(header_of(token) | {'alg': 'HS256'})}.{token.split('.')[1]}"
        return f"{head}.{b64(hmac.digest(key, head.encode(), hashlib.sha256))}"

    return forge


def by_stranger(algorithm: str, key: Any) -> Callable[[str], str]:
    return lambda t: jwt.encode(claims_of(t), key, algorithm=algorithm, headers={"kid": KEY.key_id, "typ": "at+jwt"})


def header_with(**changes: Any) -> Callable[[str], str]:
    """A header of which some members are other, signed by our own key; None removes."""
    return lambda t: with_header(t, {k: v for k, v in (header_of(t) | changes).items() if v is not None})


def twin_of_signature(token: str) -> str:
    """Another last character that decodes to the same 64 bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) | 1]
    assert twin != token
    assert read_bytes(twin) == read_bytes(token)
    return twin


def read_bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[2] + "==")


def malleable_signature(token: str) -> str:
    """The signature with its scalar moved by the group's order: a second signature in sloppy libraries."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = read_bytes(token)
    scalar = int.from_bytes(signature[32:], "little") + order
    return token.rpartition(".")[0] + "." + b64(signature[:32] + scalar.to_bytes(32, "little"))


FORGERIES: dict[str, Callable[[str], str]] = {
    **{f"algorithm {name}": unsigned(name) for name in ("none", "None", "NONE", "nOnE", "")},
    "algorithm missing": header_with(alg=None),
    "algorithm of another name for the same": header_with(alg="Ed25519"),
    "algorithm a list": header_with(alg=["EdDSA"]),
    "HS256 under the public key as PEM": hmac_with(PEM),
    "HS256 under the public key as DER": hmac_with(DER),
    "HS256 under the raw public key": hmac_with(RAW),
    "HS256 under the public key as JWK": hmac_with(JWK),
    "HS256 under an empty key": hmac_with(b""),
    "RS256": by_stranger("RS256", rsa.generate_private_key(65537, 2048)),
    "ES256": by_stranger("ES256", ec.generate_private_key(ec.SECP256R1())),
    "EdDSA of a stranger": by_stranger("EdDSA", OTHER_KEY.private),
    "kid missing": header_with(kid=None),
    "kid unknown": header_with(kid=OTHER_KEY.key_id),
    "kid a path": header_with(kid="../../dev/null"),
    "kid a query": header_with(kid="' or 1=1--"),
    "kid huge": header_with(kid="k" * 10_000),
    "kid a number": header_with(kid=7),
    "type missing": header_with(typ=None),
    "type JWT": header_with(typ="JWT"),
    "type of a refresh token": header_with(typ="refresh"),
    "crit": header_with(crit=["exp"], exp=1),
    "b64 false": header_with(b64=False, crit=["b64"]),
    "jku": header_with(jku="https://evil.example/keys"),
    "x5u": header_with(x5u="https://evil.example/cert"),
    "jwk": header_with(jwk={"kty": "OKP", "crv": "Ed25519", "x": b64(RAW)}),
    "compressed": header_with(zip="DEF"),
    "header nested deeply": lambda t: b64(b"[" * 150) + t[t.index(".") :],
    "header no JSON": lambda t: b64(b"\xff\xfe") + t[t.index(".") :],
    "signature empty": lambda t: t.rpartition(".")[0] + ".",
    "signature removed": lambda t: t.rpartition(".")[0],
    "signature of zeros": lambda t: t.rpartition(".")[0] + "." + b64(bytes(64)),
    "signature with a second scalar": malleable_signature,
    "signature spelt otherwise": twin_of_signature,
    "one padding character": lambda t: t + "=",
    "two padding characters": lambda t: t + "==",
    "padding in the middle": lambda t: t.replace(".", "=.", 1),
    "white space in front": lambda t: " " + t,
    "line end behind": lambda t: t + "\n",
    "a letter of another alphabet": lambda t: t[:-1] + "А",
    "surrogate": lambda t: t + "\udcff",
    "standard alphabet": lambda t: t.replace("-", "+").replace("_", "/") + "+",
    "four parts": lambda t: t + ".e30",
    "five parts": lambda t: f"{t}.e30.e30",
    "nothing": lambda _: "",
    "dots": lambda _: "..",
    "a megabyte": lambda t: t + "A" * 1_000_000,
    "another token's claims": lambda t: ".".join(
        [t.split(".")[0], segment(claims_of(t) | {"role": "admin"}), t.split(".")[2]]
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused_like_any_other(
    tokens: AccessTokens, token: str, forge: Callable[[str], str]
) -> None:
    tokens.verify(token)
    assert refused(tokens, forge(token))


def test_every_changed_character_is_noticed(tokens: AccessTokens, token: str) -> None:
    tokens.verify(token)
    for place, character in enumerate(token):
        assert refused(tokens, token[:place] + ("B" if character == "A" else "A") + token[place + 1 :])


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
    "one claim more": {"email": "doctor@example.org"},
    "of a refresh token": {"typ": "refresh"},
}


@pytest.mark.parametrize("missing", CLAIMS)
def test_every_claim_is_required_even_of_our_own_key(tokens: AccessTokens, token: str, missing: str) -> None:
    claims = {name: value for name, value in claims_of(token).items() if name != missing}
    assert refused(tokens, signed(token, json.dumps(claims).encode()))


@pytest.mark.parametrize("changes", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_a_wrong_claim_is_refused_even_of_our_own_key(
    tokens: AccessTokens, token: str, changes: dict[str, Any]
) -> None:
    assert refused(tokens, signed(token, json.dumps(claims_of(token) | changes).encode()))


@pytest.mark.parametrize("claims", [b"", b"[]", b"null", b"7", b"\xff", b"{", b"[" * 700])
def test_claims_that_are_no_object_are_refused(tokens: AccessTokens, token: str, claims: bytes) -> None:
    assert refused(tokens, signed(token, claims))


def test_the_way_these_tests_sign_is_right(tokens: AccessTokens, token: str) -> None:
    claims = json.dumps(claims_of(token) | {"role": "admin"}).encode()
    assert tokens.verify(signed(token, claims)).role is Role.ADMIN
    assert with_header(token, header_of(token)) == token


def test_only_so_many_tokens_are_remembered(time: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "REMEMBERED_TOKENS", 3)
    tokens = AccessTokens(KEY, time.clock, timedelta(minutes=15))
    issued = [tokens.issue(DOCTOR, SESSION)[0] for _ in range(5)]
    for token in issued * 2:
        assert tokens.verify(token) == CALLER
    assert len(tokens._remembered) == 3


def test_a_short_secret_makes_no_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey.derive(b"x" * 31)


def test_a_key_shows_nothing_secret() -> None:
    assert repr(KEY) == f"SigningKey(key_id='{KEY.key_id}')"
    assert SigningKey.derive(b"x" * 32).key_id != SigningKey.derive(b"y" * 32).key_id
