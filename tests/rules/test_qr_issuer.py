"""Tests new codes and the texts of stored codes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from server.clinical.entities import QrTextFormat
from server.clinical.services.qr_issuer import QrIssuer
from server.qr import mc1, signed_code
from server.qr.key_ring import QrKeyRing
from server.qr.mc1 import Mc1Content
from server.qr.signed_code import QrContent

FIRST = "k1:a-secret-for-tests-that-is-long-enough"
SECOND = "k2:another-secret-for-tests-that-is-long"
NOW = datetime(2026, 12, 1, 10, 0, 0, 999_999, tzinfo=UTC)
FAR = NOW + timedelta(days=30)
WEEK = timedelta(days=7)


def issuer(ring: str = FIRST) -> QrIssuer:
    return QrIssuer(QrKeyRing.parse(ring), WEEK)


def test_code_text_decodes_to_the_stored_values() -> None:
    prescription_id = uuid4()
    code = issuer().issue(prescription_id, NOW, FAR)
    text = issuer().text(code)
    assert signed_code.decode(text, QrKeyRing.parse(FIRST)) == QrContent(prescription_id, code.id)
    assert code.qr_hash == signed_code.fingerprint(text)


def test_a_code_of_the_first_format_keeps_its_text() -> None:
    keys, old = QrKeyRing.parse(FIRST), issuer().issue(uuid4(), NOW, FAR)
    content = Mc1Content(old.prescription_id, old.id, old.issued_at, old.expires_at)
    text = issuer().text(replace(old, text_format=QrTextFormat.MC1))
    assert text == mc1.encode(content, old.nonce, "k1", keys)
    assert signed_code.decode(text, keys) == QrContent(old.prescription_id, old.id)


def test_a_code_lives_as_long_as_is_set_in_whole_seconds() -> None:
    code = issuer().issue(uuid4(), NOW, FAR)
    assert (code.issued_at.microsecond, code.expires_at - code.issued_at) == (0, WEEK)


def test_a_code_never_outlives_its_prescription() -> None:
    end = NOW + timedelta(days=2)
    assert issuer().issue(uuid4(), NOW, end).expires_at == end.replace(microsecond=0)


def test_two_codes_of_one_prescription_differ() -> None:
    prescription_id = uuid4()
    one, other = (issuer().issue(prescription_id, NOW, FAR) for _ in range(2))
    assert len({one.id, other.id, one.nonce, other.nonce, one.qr_hash, other.qr_hash}) == 6


def test_rotation_reads_old_codes_and_seals_with_the_new_key() -> None:
    old = issuer().issue(uuid4(), NOW, FAR)
    rotated = issuer(f"{SECOND},{FIRST}")
    assert rotated.can_read(old)
    assert rotated.text(old) == issuer().text(old)
    assert rotated.issue(uuid4(), NOW, FAR).key_id == "k2"


def test_a_code_whose_key_is_gone_cannot_be_read() -> None:
    assert not issuer(SECOND).can_read(issuer().issue(uuid4(), NOW, FAR))
