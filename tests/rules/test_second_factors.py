"""Tests the codes of authenticator apps against RFC 6238, recovery codes, and the names of controlled medicines."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest

from server.auth.factor_seal import FactorSeal, SecretUnreadable
from server.auth.rules.second_factors import (
    app_address,
    base32,
    code_at,
    matching_step,
    new_recovery_codes,
    new_secret,
    recovery_hash,
    step_at,
)
from server.clinical.rules.prescribing import names_controlled
from tests.fixtures.proofs import control

RFC_SECRET = b"12345678901234567890"
OWNER, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 12, 1, 10, 0, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_match_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    assert code_at(RFC_SECRET, step_at(datetime.fromtimestamp(seconds, UTC))) == code


@control("S99")
@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_only_one_step_of_clock_difference_is_tolerated(steps: int, accepted: bool) -> None:
    code = code_at(RFC_SECRET, step_at(NOW) + steps)
    assert matching_step(RFC_SECRET, code, NOW, None) == (step_at(NOW) + steps if accepted else None)


@control("S99")
def test_used_and_older_codes_never_match() -> None:
    step = step_at(NOW)
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step), NOW, step) is None
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step - 1), NOW, step) is None
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step + 1), NOW, step) == step + 1
    assert matching_step(RFC_SECRET, code_at(RFC_SECRET, step), NOW + timedelta(seconds=30), step - 1) == step


def test_recovery_codes_are_random_and_read_as_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    stored = recovery_hash(OWNER, "0123-4567-89AB-CDEF")
    assert stored == recovery_hash(OWNER, "oi23456789abcdef") == recovery_hash(OWNER, "OL23-4567-89AB-CDEF")
    assert stored != recovery_hash(OTHER, "0123-4567-89AB-CDEF")


def test_address_for_apps_names_service_account_and_secret() -> None:
    secret = new_secret()
    parts = urlsplit(app_address(secret, "ann+1@example.org"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/MedConnect:ann+1@example.org")
    assert parse_qs(parts.query) == {
        "secret": [base32(secret)], "issuer": ["MedConnect"], "digits": ["6"], "period": ["30"]
    }  # fmt: skip


@control("S99")
def test_seal_opens_for_its_factor_under_current_and_former_keys() -> None:
    old, new = FactorSeal([bytes(32)]), FactorSeal([bytes(range(32)), bytes(32)])
    sealed = old.close(RFC_SECRET, OWNER)
    assert RFC_SECRET not in sealed
    assert new.open(sealed, OWNER) == (RFC_SECRET, True)
    assert new.open(new.close(RFC_SECRET, OWNER), OWNER) == (RFC_SECRET, False)
    for seal, owner in ((old, OTHER), (FactorSeal([bytes(range(32))]), OWNER)):
        with pytest.raises(SecretUnreadable):
            seal.open(sealed, owner)


@pytest.mark.parametrize(
    ("medicine", "found"),
    [
        ("Codeine phosphate 15 mg", True),
        ("CODÉINE", True),
        ("Oxycodone hydrochloride", True),
        ("Codeinol", False),
        ("Oxycodone", False),
    ],
)
def test_controlled_medicines_are_found_by_their_words(medicine: str, found: bool) -> None:
    assert names_controlled([medicine, "Ibuprofen"], {"codeine", "Oxycodone Hydrochloride"}) is found
    assert names_controlled([medicine], frozenset()) is False
