"""Searching people by name, without regard to case and accents."""

import unicodedata
from typing import Final

WHOLE_WORD_LENGTH: Final = 2
"""Up to so many characters a word must be a whole one: prefixes this short would find half of the town."""


def fold(name: str) -> str:
    """The name without accents and case: `Zoë O'Hara` becomes `zoe o'hara`. Lists are sorted by it."""
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def words(name: str) -> list[str]:
    """The folded words of a name, each once, for `array_to_tsvector`."""
    return sorted(set("".join(c if _is_of_a_word(c) else " " for c in fold(name)).split()))


def query(search: str) -> str | None:
    """The `tsquery` text that finds names with words that begin as these do; None if the search holds no word."""
    found = words(search)
    if not found:
        return None
    return " & ".join(f"'{word}'" if len(word) <= WHOLE_WORD_LENGTH else f"'{word}':*" for word in found)


def _is_of_a_word(character: str) -> bool:
    """Letters, digits, and the vowel signs of scripts that write them as marks (Hindi, Thai)."""
    return character.isalnum() or unicodedata.category(character).startswith("M")
