"""Tests which characters are stored, for all of Unicode and for generated texts."""

import functools
import sys
import time
import unicodedata
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.plain_text import REFUSED_IN_BLOCKS, REFUSED_IN_LINES, UNSEEN_IN_BLOCKS, UNSEEN_IN_LINES, stored
from tests.fixtures.cells import cells
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.fixtures.texts import EMOJI, NAMES, PASTED, WRONG

BREAKS: Final = frozenset("\t\n\r")
MARKS_OF_DIRECTION: Final = frozenset("\u061c\u200e\u200f")
EMBEDDINGS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
SHOWING_NOTHING: Final = frozenset("\ufffc\U0001d159")
IGNORABLE_LETTERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Default_Ignorable_Code_Point, unless a category includes it."""
SELECTORS: Final = frozenset(
    chr(code)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
)
VISIBLE_FORMATS: Final = frozenset(
    chr(code)
    for first, last in (
        (0x0600, 0x0605), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2),
        (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0xFFF9, 0xFFFB), (0x13430, 0x1343F),
    )
    for code in range(first, last + 1)
)  # fmt: skip
"""Characters of category Cf that are not ignorable: number signs, interlinear annotation, Egyptian layout."""
NONCHARACTERS: Final = frozenset(
    chr(code)
    for code in (*range(0xFDD0, 0xFDF0), *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF)))
)


@functools.cache
def everything() -> frozenset[str]:
    return frozenset(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)


@functools.cache
def members(classes: str) -> frozenset[str]:
    """Returns all characters whose category begins with one of these letters, if Python knows the character."""
    return frozenset(c for c in everything() if unicodedata.category(c) in classes.split())


def unknown() -> frozenset[str]:
    """Returns the characters that are unassigned, or assigned after Python's tables were made."""
    return members("Cn")


def found(pattern: "object", text: str) -> frozenset[str]:
    return frozenset(pattern.findall(text))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def every_character() -> str:
    """Returns a text with each character after a letter that needs no joiner and no selector."""
    return "".join(f"a{character}" for character in everything())


@control("S89")
def test_character_of_a_line_is_kept_dropped_or_rejected(every_character: str) -> None:
    dropped, refused = found(UNSEEN_IN_LINES, every_character), found(REFUSED_IN_LINES, every_character)
    assert not dropped & refused
    ignorable = (members("Cf") | IGNORABLE_LETTERS | SELECTORS) - VISIBLE_FORMATS
    assert dropped - unknown() == ignorable - EMBEDDINGS - unknown()
    expected = members("Cc Zl Zp") | members("Co") | VISIBLE_FORMATS | EMBEDDINGS | SHOWING_NOTHING
    assert refused - unknown() == expected - unknown()
    assert not dropped & unknown()


@control("S89")
def test_unassigned_characters_are_rejected(every_character: str) -> None:
    refused = found(REFUSED_IN_LINES, every_character)
    assert refused >= NONCHARACTERS
    assert len(unknown() - refused) < 30_000  # Assigned after Python's Unicode 14: scripts, ideographs, emoji.
    assert "\U000e0fff" in refused  # Ignorable, and reserved for future assignment.


@control("S89")
def test_block_also_keeps_line_breaks_and_direction_marks(every_character: str) -> None:
    assert found(REFUSED_IN_LINES, every_character) - found(REFUSED_IN_BLOCKS, every_character) == BREAKS
    assert found(UNSEEN_IN_LINES, every_character) - found(UNSEEN_IN_BLOCKS, every_character) == MARKS_OF_DIRECTION


TRICKY: Final = st.text(
    st.one_of(st.sampled_from("".join(NAMES) + "".join(EMOJI) + "".join(PASTED) + "".join(WRONG)), st.characters()),
    max_size=20,
)


@control("S89")
@settings(max_examples=500, deadline=None)
@given(TRICKY, st.booleans())
def test_stored_text_is_stored_again_unchanged(text: str, block: bool) -> None:
    once, wrong = stored(text, block=block)
    if not wrong:
        assert stored(once, block=block) == (once, "")
        assert unicodedata.is_normalized("NFC", once)


@control("S89")
@cells(
    "pattern",
    [
        *("a", "\u200c", "\u200d", "\u0315\u0300", "ب\u064b", "می\u200c", "1\u200f", "1", "\u200f", "क्\u200d"),
        "❤️\u200d",
        *("\u202a", "\u2800", "\u3164", "葛\U000e0100", "\U000e0100", "\ufe0f", "ᠠ\u180b", "\u034f\u0315", "ب\u00ad"),
    ],
    ids=ascii,
)
def test_any_text_is_judged_in_linear_time(pattern: str) -> None:
    """Checks that 60,000 characters take at most about 20 times as long as 6,000; quadratic time would be 100 times."""
    spent = []
    for size in (6_000, 60_000):
        text = pattern * (size // len(pattern))
        began = time.process_time()
        for block in (False, True):
            stored(text, block=block)
        spent.append(time.process_time() - began)
    assert spent[1] < within(0.5)
    assert spent[1] < 25 * spent[0] + 0.02
