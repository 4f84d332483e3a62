"""Searches people by name, ignoring case and accents."""

import unicodedata
from typing import Final

WHOLE_WORD_LENGTH: Final = 2
"""Words up to this length must match whole words: as prefixes they would match a large part of all people."""


def fold(name: str) -> str:
    """Returns the name without accents and case: `Zoë O'Hara` becomes `zoe o'hara`. Lists are sorted by it."""
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def words(name: str) -> list[str]:
    """Returns the distinct folded words of a name, for `array_to_tsvector`."""
    return sorted(set("".join(c if _is_of_a_word(c) else " " for c in fold(name)).split()))


def query(search: str) -> str | None:
    """Returns the `tsquery` text that finds names with words that begin with these; None if the search has no word."""
    found = words(search)
    if not found:
        return None
    return " & ".join(f"'{word}'" if len(word) <= WHOLE_WORD_LENGTH else f"'{word}':*" for word in found)


def _is_of_a_word(character: str) -> bool:
    """Returns whether a character is part of a word: letters, digits, and vowel signs that are marks (Hindi, Thai)."""
    return character.isalnum() or unicodedata.category(character).startswith("M")
