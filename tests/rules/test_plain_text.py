"""Tests which characters of texts as people write and paste them are stored."""

import unicodedata
from typing import Final

import pytest

from server.plain_text import stored
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.fixtures.texts import EMOJI, NAMES, PASTED, WRONG

MARKS_OF_DIRECTION: Final = frozenset("\u061c\u200e\u200f")
BLANK: Final = (
    " ", "\u00a0\u2003", "\u3000", "\u3164", "\u3164 \u3164", "\uffa0", "\u115f", "\u1160", "\u00ad", "\u034f",
    "\ufe0f", "\U000e0100", "\u200b\u200c\u200d", "\ufeff", "\u180e", "\u17b4", "\U0001d173",
    "\U000e0041", "\u0301", "\u200e \u200f",
)  # fmt: skip


@control("S89")
@cells("text", [*NAMES, *EMOJI])
@cells("block", [False, True])
def test_names_of_the_world_are_stored_as_they_are(text: str, block: bool) -> None:
    assert stored(text, block=block) == (text, "")
    assert stored(unicodedata.normalize("NFD", text), block=block) == (unicodedata.normalize("NFC", text), "")


@control("S89")
@cells(("text", "seen"), PASTED.items(), ids=map(ascii, PASTED))
@cells("block", [False, True])
def test_invisible_pasted_characters_are_dropped(text: str, seen: str, block: bool) -> None:
    if block and MARKS_OF_DIRECTION & frozenset(text[1:-1]):
        pytest.skip("prose keeps them")
    assert stored(text, block=block) == (seen, "")


@control("S89")
@cells(("text", "complaint"), WRONG.items(), ids=map(ascii, WRONG))
def test_deceptive_characters_are_rejected(text: str, complaint: str) -> None:
    for block in (False, True):
        same, wrong = stored(text, block=block)
        assert complaint in wrong
        assert same == text


@control("S89")
@cells("text", BLANK, ids=map(ascii, BLANK))
def test_invisible_text_is_blank(text: str) -> None:
    assert stored(text)[1] == stored(text, block=True)[1] == "must not be blank"


def test_marks_of_direction_stay_inside_prose() -> None:
    assert stored("שלום (C++\u200e) x", block=True) == ("שלום (C++\u200e) x", "")
    assert stored("שלום (C++\u200e) x") == ("שלום (C++) x", "")
