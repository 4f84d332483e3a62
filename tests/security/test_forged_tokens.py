"""Forged access tokens: each way to forge one is refused, in the same words."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.auth.tokens.access_tokens import AccessTokens
from tests.fixtures.cells import cells
from tests.fixtures.clock import FAR, SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.tokens import (
    DOCTOR,
    KEY,
    NOW,
    OTHER_KEY,
    RING,
    SESSION,
    b64,
    claims_of,
    header_of,
    refused,
    segment,
    with_header,
)


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens(RING, SettableClock(NOW).clock, timedelta(minutes=15))


@pytest.fixture
def token(tokens: AccessTokens) -> str:
    return tokens.issue(DOCTOR, SESSION, FAR)[0]


def public_bytes(encoding: serialization.Encoding, style: serialization.PublicFormat) -> bytes:
    return KEY.public.public_bytes(encoding, style)


PEM = public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
DER = public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
RAW = public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
JWK = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": b64(RAW)}).encode()


def unsigned(algorithm: str) -> Callable[[str], str]:
    return lambda t: f"{segment(header_of(t) | {'alg': algorithm})}.{t.split('.')[1]}."


def hmac_with(key: bytes) -> Callable[[str], str]:
    """Signs HS256 with the public key as its secret."""

    def forge(token: str) -> str:
        head = f"{segment(header_of(token) | {'alg': 'HS256'})}.{token.split('.')[1]}"
        return f"{head}.{b64(hmac.digest(key, head.encode(), hashlib.sha256))}"

    return forge


def by_stranger(algorithm: str, key: Any) -> Callable[[str], str]:
    return lambda t: jwt.encode(claims_of(t), key, algorithm=algorithm, headers={"kid": KEY.key_id, "typ": "at+jwt"})


def header_with(**changes: Any) -> Callable[[str], str]:
    """Returns a token with changed header members, signed by our own key; None removes a member."""
    return lambda t: with_header(t, {k: v for k, v in (header_of(t) | changes).items() if v is not None})


def twin_of_signature(token: str) -> str:
    """Returns the token with another last character that decodes to the same 64 bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) | 1]
    assert twin != token
    assert read_bytes(twin) == read_bytes(token)
    return twin


def read_bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[2] + "==")


def malleable_signature(token: str) -> str:
    """Returns the signature with its scalar moved by the group's order: valid in libraries that do not check it."""
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
    "EdDSA of a stranger": by_stranger("EdDSA", OTHER_KEY.signer()),
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


@control("S20")
@cells("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused_like_any_other(
    tokens: AccessTokens, token: str, forge: Callable[[str], str]
) -> None:
    tokens.verify(token)
    assert refused(tokens, forge(token))


@control("S20")
def test_every_changed_character_is_noticed(tokens: AccessTokens, token: str) -> None:
    tokens.verify(token)
    for place, character in enumerate(token):
        assert refused(tokens, token[:place] + ("B" if character == "A" else "A") + token[place + 1 :])
