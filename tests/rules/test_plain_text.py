"""Tests which characters are stored, for all of Unicode and for texts as people write and paste them."""

import sys
import time
import unicodedata
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.plain_text import REFUSED_IN_BLOCKS, REFUSED_IN_LINES, UNSEEN_IN_BLOCKS, UNSEEN_IN_LINES, stored

EVERYTHING: Final = frozenset(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
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

NAMES: Final = (
    "Seán O’Brien", "O'Hara", "Zoë", "Nguyễn Thị Minh Khai", "Đặng", "Łukasz Wałęsa", "Þórður", "Ægir", "İbrahim",
    "Jean-Luc d’Aubigné", "María-José Núñez", "Müller-Lüdenscheidt", "Ng", "Ó", "X Æ A-12", "ʻōlelo Kaʻahumanu",
    "محمد", "می\u200cخواهم", "علی\u200cرضا", "فاطمه", "שָׁלוֹם", "יִצְחָק", "กิ๊ก สุขใจ", "สมชาย", "नरेन्द्र", "क्\u200dष",
    "श्री", "শ্রী", "র\u200d্যাম", "ශ්\u200dරී ලංකා", "ක්\u200dෂ", "தமிழ்", "മലയാളം", "ന്\u200d", "ქეთევან", "Արմեն",
    "Ἀλέξανδρος", "Владимир", "Їжак", "김민준", "홍길동", "山田太郎", "葛\U000e0100城",
    "辻\U000e0101", "𠮷田", "佐々木", "王小明",
    "Tiếng", "ᠮᠣᠩᠭᠣᠯ", "ᠠ\u180e", "ᠪ\u180bᠠ", "ᏣᎳᎩ", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "አማርኛ", "ಕನ್ನಡ", "සිංහල", "မြန်မာ", "ខ្មែរ", "བོད་སྐད",
    "ދިވެހި", "ߒߞߏ", "𞤀𞤣𞤤𞤢𞤥", "山田　太郎", "St. Mary's (No. 2) & Sons", "Apotheke №5", "⠃⠗⠇⠀⠁",
)  # fmt: skip
"""Names of people and pharmacies and words of the world, in normal form: each is stored unchanged."""
EMOJI: Final = ("😀", "❤️", "👩‍⚕️", "👩🏽‍⚕️", "🏳️‍🌈", "👨‍👩‍👧", "1️⃣", "☎︎", "🇮🇪", "🩷")

PASTED: Final = {
    "\ufeffRX-20261122-7K3M9QTD": "RX-20261122-7K3M9QTD",
    "123\u200b456": "123456",
    "\u202a+49 30 1234567\u202c": "+49 30 1234567",
    "\u2068+49 30 1234567\u2069": "+49 30 1234567",
    "\u200eann@example.org": "ann@example.org",
    "Arz\u00adnei\u00admit\u00adtel": "Arzneimittel",
    "Ann\u2060\u200b\u200d\u200c Smith": "Ann Smith",
    "A\u034fnn\ufe0f": "Ann",
    "Ann\u3164\u115f\u1160\uffa0": "Ann",
    "Ann\U000e0041\U000e0042": "Ann",
    "کار\u200cها": "کارها",
    "Zoe\u200b\u0308": "Zoë",
    "1\ufe0f2": "12",
    "❤️️": "❤️",
}
WRONG: Final = {
    "Ann\u2800Smith": "show nothing",
    "Ann\u202eSmith": "turn the direction",
    "Ann\u2066Smith\u2069 x": "turn the direction",
    "Ann\ufff9x\ufffa": "show nothing",
    "Ann\ue000": "show nothing",
    "Ann\U0010fffd": "show nothing",
    "Ann\ufdd0": "show nothing",
    "Ann\U0001fffe": "show nothing",
    "Ann\U000e0fff": "show nothing",
    "Ann\u0378": "show nothing",
    "Ann\ufffc": "show nothing",
    "Ann\U0001d159": "show nothing",
    "Ann\x85": "control characters",
    "Ann\u2028": "control characters",
    "1\u200f2": "direction between digits",
    "1\u200f.\u200f5 mg": "direction between digits",
    "١\u061c٢": "direction between digits",
    "1\u200e2": "direction between digits",
    "a" + "\u0301" * 31: "30 marks",
}
BLANK: Final = (
    " ", "\u00a0\u2003", "\u3000", "\u3164", "\u3164 \u3164", "\uffa0", "\u115f", "\u1160", "\u00ad", "\u034f",
    "\ufe0f", "\U000e0100", "\u200b\u200c\u200d", "\ufeff", "\u180e", "\u17b4", "\U0001d173",
    "\U000e0041", "\u0301", "\u200e \u200f",
)  # fmt: skip


def members(classes: str) -> frozenset[str]:
    """Returns all characters whose category begins with one of these letters, if Python knows the character."""
    return frozenset(c for c in EVERYTHING if unicodedata.category(c) in classes.split())


UNKNOWN: Final = members("Cn")
"""Characters that are unassigned, or assigned after Python's tables were made."""
IGNORABLE: Final = (members("Cf") | IGNORABLE_LETTERS | SELECTORS) - VISIBLE_FORMATS
CONTROLS: Final = members("Cc Zl Zp")


def found(pattern: "object", text: str) -> frozenset[str]:
    return frozenset(pattern.findall(text))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def every_character() -> str:
    """Returns a text with each character after a letter that needs no joiner and no selector."""
    return "".join(f"a{character}" for character in EVERYTHING)


def test_s89_character_of_a_line_is_kept_dropped_or_rejected(every_character: str) -> None:
    dropped, refused = found(UNSEEN_IN_LINES, every_character), found(REFUSED_IN_LINES, every_character)
    assert not dropped & refused
    assert dropped - UNKNOWN == IGNORABLE - EMBEDDINGS - UNKNOWN
    expected = CONTROLS | members("Co") | VISIBLE_FORMATS | EMBEDDINGS | SHOWING_NOTHING
    assert refused - UNKNOWN == expected - UNKNOWN
    assert not dropped & UNKNOWN


def test_s89_unassigned_characters_are_rejected(every_character: str) -> None:
    refused = found(REFUSED_IN_LINES, every_character)
    assert refused >= NONCHARACTERS
    assert len(UNKNOWN - refused) < 30_000  # Assigned after Python's Unicode 14: scripts, ideographs, emoji.
    assert "\U000e0fff" in refused  # Ignorable, and reserved for future assignment.


def test_s89_block_also_keeps_line_breaks_and_direction_marks(every_character: str) -> None:
    assert found(REFUSED_IN_LINES, every_character) - found(REFUSED_IN_BLOCKS, every_character) == BREAKS
    assert found(UNSEEN_IN_LINES, every_character) - found(UNSEEN_IN_BLOCKS, every_character) == MARKS_OF_DIRECTION


@pytest.mark.parametrize("text", [*NAMES, *EMOJI])
@pytest.mark.parametrize("block", [False, True])
def test_s89_names_of_the_world_are_stored_as_they_are(text: str, block: bool) -> None:
    assert stored(text, block=block) == (text, "")
    assert stored(unicodedata.normalize("NFD", text), block=block) == (unicodedata.normalize("NFC", text), "")


@pytest.mark.parametrize(("text", "seen"), PASTED.items(), ids=map(ascii, PASTED))
@pytest.mark.parametrize("block", [False, True])
def test_s89_invisible_pasted_characters_are_dropped(text: str, seen: str, block: bool) -> None:
    if block and MARKS_OF_DIRECTION & frozenset(text[1:-1]):
        pytest.skip("prose keeps them")
    assert stored(text, block=block) == (seen, "")


@pytest.mark.parametrize(("text", "complaint"), WRONG.items(), ids=map(ascii, WRONG))
def test_s89_deceptive_characters_are_rejected(text: str, complaint: str) -> None:
    for block in (False, True):
        same, wrong = stored(text, block=block)
        assert complaint in wrong
        assert same == text


@pytest.mark.parametrize("text", BLANK, ids=map(ascii, BLANK))
def test_s89_invisible_text_is_blank(text: str) -> None:
    assert stored(text)[1] == stored(text, block=True)[1] == "must not be blank"


def test_marks_of_direction_stay_inside_prose() -> None:
    assert stored("שלום (C++\u200e) x", block=True) == ("שלום (C++\u200e) x", "")
    assert stored("שלום (C++\u200e) x") == ("שלום (C++) x", "")


TRICKY: Final = st.text(
    st.one_of(st.sampled_from("".join(NAMES) + "".join(EMOJI) + "".join(PASTED) + "".join(WRONG)), st.characters()),
    max_size=20,
)


@settings(max_examples=500, deadline=None)
@given(TRICKY, st.booleans())
def test_s89_stored_text_is_stored_again_unchanged(text: str, block: bool) -> None:
    once, wrong = stored(text, block=block)
    if not wrong:
        assert stored(once, block=block) == (once, "")
        assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    "pattern",
    [
        *("a", "\u200c", "\u200d", "\u0315\u0300", "ب\u064b", "می\u200c", "1\u200f", "1", "\u200f", "क्\u200d"),
        "❤️\u200d",
        *("\u202a", "\u2800", "\u3164", "葛\U000e0100", "\U000e0100", "\ufe0f", "ᠠ\u180b", "\u034f\u0315", "ب\u00ad"),
    ],
    ids=ascii,
)
def test_s89_any_text_is_judged_in_linear_time(pattern: str) -> None:
    """Checks that 60,000 characters take at most about 20 times as long as 6,000; quadratic time would be 100 times."""
    spent = []
    for size in (6_000, 60_000):
        text = pattern * (size // len(pattern))
        began = time.process_time()
        for block in (False, True):
            stored(text, block=block)
        spent.append(time.process_time() - began)
    assert spent[1] < 0.5
    assert spent[1] < 25 * spent[0] + 0.02
