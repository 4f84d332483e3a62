"""Codes of the first format, `MC1.…`: opens only issued texts, returns one error for all others, stays short."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from server.errors import QrCodeInvalid
from server.qr import mc1, signed_code
from server.qr.key_ring import QrKeyRetired, QrKeyRing
from server.qr.mc1 import Mc1Content
from server.qr.signed_code import QrContent
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control

SECRET = "an example secret of enough bytes for the tests"
OTHER_SECRET = "another example secret of enough bytes for tests"
KEYS = QrKeyRing.parse(SECRET)
NONCE = bytes(range(12))
CONTENT = Mc1Content(
    prescription_id=UUID("01930000-0000-7000-8000-000000000001"),
    code_id=UUID("01930000-0000-7000-8000-000000000002"),
    issued_at=datetime(2026, 11, 22, 10, 30, tzinfo=UTC),
    expires_at=datetime(2026, 11, 29, 10, 30, tzinfo=UTC),
)
IDS = QrContent(CONTENT.prescription_id, CONTENT.code_id)
KEY_ID = KEYS.key_ids[0]
TEXT = mc1.encode(CONTENT, NONCE, KEY_ID, KEYS)


def refused(text: str, keys: QrKeyRing = KEYS) -> bool:
    """Returns whether decode raises the one declared error; any other exception fails the test."""
    try:
        signed_code.decode(text, keys)
    except QrCodeInvalid as error:
        return str(error) == str(QrCodeInvalid()) and error.__cause__ is None
    return False


def accepted_variants(variants: list[str]) -> list[str]:
    assert variants
    return [variant for variant in variants if not refused(variant)]


def body_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rsplit(".", 1)[1] + "=")


def text_with(body: bytes) -> str:
    return TEXT.rsplit(".", 1)[0] + "." + base64.urlsafe_b64encode(body).decode().rstrip("=")


def test_a_code_says_what_was_put_in() -> None:
    assert signed_code.decode(TEXT, KEYS) == IDS


@control("S89")
@pytest.mark.parametrize("pasted", ["\ufeff{}", "{}\u200b\n", "\u202a{}\u202c", "\u2068{}\u2069"], ids=ascii)
def test_what_is_pasted_unseen_with_a_code_is_dropped(pasted: str) -> None:
    assert signed_code.decode(pasted.format(TEXT), KEYS) == IDS


def test_white_space_that_a_scanner_adds_is_dropped() -> None:
    for form in (" {}\r\n", "]Q1{}", "]Q1{}\r", '"{}"', "'{}'\t", "\x1d{}\x04"):
        assert signed_code.decode(form.format(TEXT), KEYS) == IDS
    assert signed_code.fingerprint(f"{TEXT}\n") == signed_code.fingerprint(TEXT)


def test_the_format_does_not_drift() -> None:
    assert TEXT == (
        "MC1.72deca94.AAECAwQFBgcICQoL7U1yuoMVaJpgDiJPc7QdMcLLSmGLMydSh_-vWW5BrMPbT-dFFgn-RWNY-0E3MMOJItPABpVlb_c"
    )
    assert signed_code.fingerprint(TEXT) == "f26e51bdc58087fc8f29403875cb2846"


def test_the_same_content_nonce_and_key_give_the_same_text() -> None:
    assert mc1.encode(CONTENT, NONCE, KEYS.key_ids[0], QrKeyRing.parse(SECRET)) == TEXT


def test_fractions_of_a_second_are_cut_off() -> None:
    content = CONTENT._replace(issued_at=CONTENT.issued_at + timedelta(microseconds=999_999))
    assert mc1.encode(content, NONCE, KEY_ID, KEYS) == TEXT


def test_times_without_a_zone_are_refused() -> None:
    naive = CONTENT._replace(issued_at=CONTENT.issued_at.replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        mc1.encode(naive, NONCE, KEY_ID, KEYS)


@control("S43")
def test_text_holds_only_two_ids_and_two_times() -> None:
    nonce_and_tag = 12 + 16
    assert len(body_of(TEXT)) - nonce_and_tag == 16 + 16 + 4 + 4


@control("S43")
def test_the_longest_key_id_stays_within_130_characters() -> None:
    keys = QrKeyRing.parse(f"{'k' * 16}:{SECRET}")
    assert len(mc1.encode(CONTENT, NONCE, "k" * 16, keys)) <= signed_code.MAX_TEXT_LENGTH


@control("S42")
def test_every_flipped_bit_is_refused() -> None:
    variants = [
        TEXT[:index] + chr(ord(character) ^ 1 << bit) + TEXT[index + 1 :]
        for index, character in enumerate(TEXT)
        for bit in range(8)
    ]
    assert len(variants) > 800
    assert accepted_variants(variants) == []


@control("S42")
def test_every_flipped_bit_of_the_sealed_bytes_is_refused() -> None:
    body = body_of(TEXT)
    number = int.from_bytes(body, "big")
    variants = [text_with((number ^ 1 << bit).to_bytes(len(body), "big")) for bit in range(8 * len(body))]
    assert accepted_variants(variants) == []


@control("S42")
def test_every_cut_is_refused() -> None:
    cuts = [TEXT[:length] for length in range(len(TEXT))] + [TEXT[start:] for start in range(1, len(TEXT))]
    assert accepted_variants(cuts) == []


@control("S42")
@pytest.mark.parametrize("addition", ["A", "=", "AAAA", ".", ".A", "\0", "é", TEXT], ids=ascii)
def test_every_addition_is_refused(addition: str) -> None:
    assert refused(TEXT + addition)
    assert refused(addition + TEXT)


@control("S42")
def test_parts_of_two_codes_do_not_make_a_third() -> None:
    other = mc1.encode(CONTENT._replace(code_id=UUID(int=7)), b"\xff" * 12, KEY_ID, KEYS)
    first, second = body_of(TEXT), body_of(other)
    splices = [text_with(first[:cut] + second[cut:]) for cut in range(1, len(first))]
    assert accepted_variants(splices) == []
    assert signed_code.decode(text_with(second), KEYS).code_id == UUID(int=7)


@control("S42")
def test_the_last_character_has_one_spelling() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = accepted_variants([TEXT[:-1] + character for character in alphabet])
    assert accepted == [TEXT]


@control("S42")
def test_the_standard_alphabet_is_refused() -> None:
    for counter in range(100):
        text = mc1.encode(CONTENT, counter.to_bytes(12, "big"), KEY_ID, KEYS)
        if {"-", "_"} <= set(text.rsplit(".", 1)[1]):
            break
    assert signed_code.decode(text, KEYS) == IDS
    assert accepted_variants([text.replace("-", "+"), text.replace("_", "/")]) == []


@control("S42")
@cells(
    "text",
    [
        "",
        " ",
        "\0",
        "MC1",
        "MC1..",
        "MC1.." + TEXT.rsplit(".", 1)[1],
        TEXT.replace("MC1", "MC2"),
        TEXT.lower(),
        TEXT.upper(),
        TEXT + "=",
        TEXT.replace(".", ".\n", 1),
        TEXT[:60] + " " + TEXT[60:],
        TEXT[:60] + "\0" + TEXT[61:],
        TEXT[:60] + "Ａ" + TEXT[61:],
        TEXT[:60] + "\ud800" + TEXT[61:],
        "٣" * len(TEXT),
        "A" * 10_240,
        "MC1." + "A" * 10_240,
        "https://example.org/" + TEXT,
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_anything_that_is_no_code_is_refused(text: str) -> None:
    assert refused(text)


@control("S42")
def test_a_code_of_another_key_is_refused_under_every_key_id() -> None:
    foreign = QrKeyRing.parse(f"{KEYS.key_ids[0]}:{OTHER_SECRET}")
    assert refused(mc1.encode(CONTENT, NONCE, KEY_ID, foreign))
    assert refused(TEXT, foreign)


@control("S42")
def test_the_key_id_is_sealed_too() -> None:
    twice = QrKeyRing.parse(f"old:{SECRET},new:{SECRET}")
    text = mc1.encode(CONTENT, NONCE, "old", twice)
    assert refused(text.replace(".old.", ".new."), twice)


@control("S44")
def test_rotation_keeps_old_codes() -> None:
    before = QrKeyRing.parse(f"k1:{SECRET}")
    after = QrKeyRing.parse(f"k2:{OTHER_SECRET}, k1:{SECRET}")
    old = mc1.encode(CONTENT, NONCE, "k1", before)
    assert signed_code.decode(old, after) == IDS
    assert mc1.encode(CONTENT, NONCE, "k1", after) == old
    assert mc1.encode(CONTENT, NONCE, "k2", after).startswith("MC1.k2.")
    assert after.key_ids == ("k2", "k1")


@control("S44")
def test_codes_of_single_secret_open_from_a_key_ring() -> None:
    ring = QrKeyRing.parse(f"k2:{OTHER_SECRET},{KEYS.key_ids[0]}:{SECRET}")
    assert signed_code.decode(TEXT, ring) == IDS


@control("S44")
def test_retired_key_is_refused_and_named_on_rebuild() -> None:
    without = QrKeyRing.parse(f"k2:{OTHER_SECRET}")
    assert refused(TEXT, without)
    with pytest.raises(QrKeyRetired):
        mc1.encode(CONTENT, NONCE, KEYS.key_ids[0], without)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("", "at least 32 bytes"),
        ("shortsecret", "at least 32 bytes"),
        (f"k1:{SECRET},k2:shortsecret", "entry 2 .* at least 32 bytes"),
        (f"{SECRET},{OTHER_SECRET}", "entry 1 .* kid:secret"),
        (f"k1:{SECRET},", "entry 2 .* kid:secret"),
        (f"no spaces:{SECRET}", "entry 1 .* kid:secret"),
        (f"{'k' * 17}:{SECRET}", "entry 1 .* kid:secret"),
        (f"k1:{SECRET},k1:{OTHER_SECRET}", "entry 2 .* repeats"),
    ],
)
def test_a_bad_setting_is_explained_without_showing_it(setting: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        QrKeyRing.parse(setting)
    for part in (SECRET, OTHER_SECRET, "shortsecret"):
        assert part not in str(caught.value)


def test_a_key_ring_does_not_show_its_keys() -> None:
    assert repr(KEYS) == "QrKeyRing()"


def test_the_fingerprint_is_the_start_of_sha_256() -> None:
    assert signed_code.fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223"
