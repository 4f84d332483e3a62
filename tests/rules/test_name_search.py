"""Tests name search: without regard to case and accents, in any script."""

import pytest

from server.name_search import fold, query, words
from tests.fixtures.cells import cells


@cells(
    ("name", "folded"),
    [
        ("Zoë O'Hara", "zoe o'hara"),
        ("ZOE", "zoe"),
        ("Ångström", "angstrom"),
        ("Weiß", "weiss"),
        ("İpek", "ipek"),
        ("Ŀ", "l·"),
        ("ﬁ", "fi"),
        ("Ｍａｘ", "max"),
        ("Ñandú", "nandu"),
        ("Łukasz", "łukasz"),
        ("МЕДВЕДЬ", "медведь"),
        ("Σίσυφος", "σισυφοσ"),
    ],
)
def test_case_accents_and_width_do_not_count(name: str, folded: str) -> None:
    assert fold(name) == folded


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Anna Maria Anna", ["anna", "maria"]),
        ("O'Hara-Smith, Jr.", ["hara", "jr", "o", "smith"]),
        ("Jean_Luc", ["jean", "luc"]),
        ("Henry 8", ["8", "henry"]),
        ("मीना कुमारी", ["कुमारी", "मीना"]),
        ("山田 太郎", ["太郎", "山田"]),
        ("  ", []),
        ("'&|!():*<->\\", []),
    ],
)
def test_a_name_is_its_words_each_once(name: str, found: list[str]) -> None:
    assert words(name) == found


@pytest.mark.parametrize("name", ["Zoë O'Hara", "मीना कुमारी", "Weiß-Müller"])
def test_a_name_is_found_by_itself_however_it_is_written(name: str) -> None:
    assert words(name.upper()) == words(name.lower()) == words(fold(name))


@pytest.mark.parametrize(
    ("search", "text"),
    [
        ("Zoë", "'zoe':*"),
        ("ann mar", "'ann':* & 'mar':*"),
        ("Li Wu", "'li' & 'wu'"),
        ("a", "'a'"),
        ("", None),
        ("%_*", None),
        ("x' | 'y", "'x' & 'y'"),
        ("a:* | !b\\", "'a' & 'b'"),
    ],
)
def test_search_finds_word_prefixes_and_whole_short_words(search: str, text: str | None) -> None:
    assert query(search) == text
