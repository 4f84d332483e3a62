"""The encrypted QR text: opens only issued texts, however they are typed, and returns one error for all others."""

from uuid import UUID

import pytest

from server.errors import QrCodeInvalid
from server.qr import signed_code
from server.qr.key_ring import QrKeyRetired, QrKeyRing
from server.qr.signed_code import LETTERS, PREFIX, QrContent
from tests.fixtures.cells import cells
from tests.fixtures.keyboards import TYPED_ON
from tests.fixtures.proofs import control

SECRET = "an example secret of enough bytes for the tests"
OTHER_SECRET = "another example secret of enough bytes for tests"
KEYS = QrKeyRing.parse(SECRET)
KEY_ID = KEYS.key_ids[0]
NONCE = bytes(range(12))
CONTENT = QrContent(UUID("01930000-0000-7000-8000-000000000001"), UUID("01930000-0000-7000-8000-000000000002"))
TEXT = signed_code.encode(CONTENT, NONCE, KEY_ID, KEYS)


def refused(text: str, keys: QrKeyRing = KEYS) -> bool:
    """Returns whether decode raises the one declared error; any other exception fails the test."""
    try:
        signed_code.decode(text, keys)
    except QrCodeInvalid as error:
        return str(error) == str(QrCodeInvalid()) and error.__cause__ is None
    return False


def accepted(variants: list[str]) -> list[str]:
    assert variants
    return [variant for variant in variants if not refused(variant)]


def test_the_format_does_not_drift() -> None:
    assert TEXT == (
        "RXBBBCBDBEBFBGBHBJBKBLBNBPFPHTCFBRTHKGKFHNXLVLHCFLVJPCXLNBRPXVCJLHNKGPPPDFEPDJVD"
        "XREHHFXPCHNGCLNHCJEDGHPVFVBKEBKKLVDELXPXTL"
    )
    assert signed_code.fingerprint(TEXT) == "679c6f0ed077262ac838c9ef5830f8b4"


@control("S43")
def test_text_holds_only_two_ids() -> None:
    nonce, ids, tag = 12, 16 + 16, 16
    assert len(TEXT) == len(PREFIX) + 2 * (nonce + ids + tag) <= signed_code.MAX_TEXT_LENGTH


@cells("layout", list(TYPED_ON))
@cells("form", ["{}", "]Q1{}", "{}\r\n", "{}\t", '"{}"', "]Q1{}\r"], ids=ascii)
def test_a_scanner_under_any_keyboard_layout_is_read(layout: str, form: str) -> None:
    typed = TYPED_ON[layout](form.format(TEXT))
    assert signed_code.decode(typed, KEYS) == CONTENT, typed


@control("S89")
@cells("form", ["\ufeff{}", "{}\u200b\n", "\u202a{}\u202c", "“{}”", "«{}»", "\x1d{}\x04", "]Q1 {}", "{}."], ids=ascii)
def test_what_comes_with_a_code_is_dropped(form: str) -> None:
    assert signed_code.decode(form.format(TEXT), KEYS) == CONTENT


def test_full_width_and_wrapped_text_is_read() -> None:
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in TEXT)
    assert signed_code.decode(full_width, KEYS) == CONTENT
    assert signed_code.decode(f"{TEXT[:60]}\r\n{TEXT[60:]}", KEYS) == CONTENT


def test_the_refusal_names_the_keyboard_setting_of_the_scanner() -> None:
    assert "keyboard setting" in str(QrCodeInvalid())


@control("S42")
def test_every_other_letter_is_refused_at_every_place() -> None:
    variants = [TEXT[:at] + other + TEXT[at + 1 :] for at in range(len(TEXT)) for other in LETTERS if other != TEXT[at]]
    assert len(variants) > 1800
    assert accepted(variants) == []


@control("S42")
def test_every_cut_and_addition_of_a_letter_is_refused() -> None:
    cuts = [TEXT[:length] for length in range(len(TEXT))] + [TEXT[start:] for start in range(1, len(TEXT))]
    additions = [TEXT[:at] + letter + TEXT[at:] for at in range(len(TEXT) + 1) for letter in "BXA7"]
    assert accepted(cuts) == []
    assert accepted(additions) == []


@control("S42")
def test_parts_of_two_codes_do_not_make_a_third() -> None:
    other = signed_code.encode(QrContent(CONTENT.prescription_id, UUID(int=7)), b"\xff" * 12, KEY_ID, KEYS)
    assert accepted([TEXT[:at] + other[at:] for at in range(len(PREFIX) + 1, len(TEXT))]) == []
    assert signed_code.decode(other, KEYS).code_id == UUID(int=7)


@control("S42")
@cells(
    "text",
    [
        "",
        " ",
        "\0",
        PREFIX,
        "R" * 10_240,
        PREFIX + "B" * 120,
        "ß" * 122,
        TEXT + TEXT,
        "https://example.org/" + TEXT,
        "\ud800",
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_anything_that_is_no_code_is_refused(text: str) -> None:
    assert refused(text)


@control("S42")
def test_a_code_of_another_key_is_refused() -> None:
    foreign = QrKeyRing.parse(f"{KEY_ID}:{OTHER_SECRET}")
    renamed = QrKeyRing.parse(f"other:{SECRET}")
    assert refused(signed_code.encode(CONTENT, NONCE, KEY_ID, foreign))
    assert refused(TEXT, renamed)


@control("S42")
def test_two_issues_of_one_prescription_differ() -> None:
    assert signed_code.encode(CONTENT, signed_code.new_nonce(), KEY_ID, KEYS) != TEXT
    assert signed_code.new_nonce() != signed_code.new_nonce()
    assert len(signed_code.new_nonce()) == signed_code.NONCE_BYTES


@control("S44")
def test_rotation_keeps_old_codes_and_retires_removed_keys() -> None:
    before = QrKeyRing.parse(f"k1:{SECRET}")
    after = QrKeyRing.parse(f"k2:{OTHER_SECRET}, k1:{SECRET}")
    without = QrKeyRing.parse(f"k2:{OTHER_SECRET}")
    old = signed_code.encode(CONTENT, NONCE, "k1", before)
    assert signed_code.decode(old, after) == CONTENT
    assert signed_code.encode(CONTENT, NONCE, "k1", after) == old
    assert refused(old, without)
    with pytest.raises(QrKeyRetired):
        signed_code.encode(CONTENT, NONCE, "k1", without)
