"""Folds names, so that they are sorted and found however they are written: without case, accents and variants."""

import unicodedata
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from itertools import groupby, product
from typing import Final

import regex

MOST_UMLAUTS: Final = 4
"""Up to this number of umlauts in a word, every mixture of their two writings is found: 16 at most."""

_UNSEEN: Final = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\u0640--\u200c]", regex.VERSION1)
"""Invisible characters and Arabic's tatweel, except for the non-joiner, which stands between parts of a word."""
_APOSTROPHES: Final = regex.compile(
    r"[`\u00b4\u02b9-\u02bf\u02c8\u02ca\u02cb\u055a\u05f3\u05f4\u07f4\u07f5\u1fbd\u1fbf\u1fef\u1ffd\u1ffe"
    r"\u2018-\u201b\u2032\u2035\ua78b\ua78c\uff07\uff40]"
)
"""All that people type and programs write for an apostrophe; some of them are letters in Unicode."""
_WITHIN_WORDS: Final = r"'\p{Dash}\u200c._\u00b7\u2022\u2027\u30fb"
_DASH: Final = regex.compile(r"\p{Dash}")
_CONNECTORS: Final = regex.compile(f"[{_WITHIN_WORDS}]")
_BETWEEN_WORDS: Final = regex.compile(rf"[^\p{{L}}\p{{M}}\p{{N}}{_WITHIN_WORDS}]+")
_SYLLABIC: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Hangul}\p{Bopomofo}\u30fc]+")
"""A word of scripts in which a name has one to four characters and no blanks; katakana is folded to hiragana."""

_WRITTEN_OUT: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
"""Letters that people also write as two: German, and the languages of Scandinavia."""
_PLAIN: Final = {
    "þ": "th", "ð": "d", "æ": "ae", "œ": "oe", "ŋ": "n", "ə": "e", "ɛ": "e", "ɔ": "o", "ɣ": "g", "ʋ": "v", "ĸ": "k",
    "ө": "о", "ү": "у", "ұ": "у", "ә": "а", "һ": "х",
    "ı": "i", "ȷ": "j", "ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ٱ": "ا", "ہ": "ه", "ھ": "ه", "ە": "ه",
}  # fmt: skip
"""Letters without a decomposition, as people write them with another keyboard, and variants of one Arabic letter."""


def fold(name: str) -> str:
    """Returns the name without case, accents and variants: `Bjørn O’Hara` becomes `bjorn o'hara`. Lists sort by it."""
    return _plain(_composed(name)).replace("\u200c", "")


def words(name: str) -> list[str]:
    """Returns the distinct folded words of a name; apostrophes, dashes and full stops stand between words."""
    return sorted({_plain(part) for parts in _words_by_parts(name) for part in parts})


def spellings(name: str) -> list[tuple[Set[str], Sequence[Set[str]]]]:
    """Returns for each word its spellings as one, and those of its parts, between which an apostrophe or dash stands.

    `O'Möller` gives `omoller` and `omoeller`, and as parts `o` and `moller` or `moeller`.
    """
    return [(_written("".join(parts)), [_written(part) for part in parts]) for parts in _words_by_parts(name)]


def syllabic_runs(name: str) -> list[str]:
    """Returns each run of Chinese, Japanese or Korean words as one word, as such names are mostly written."""
    parts = (_plain(part) for whole in _words_by_parts(name) for part in whole)
    return ["".join(run) for syllabic, run in groupby(parts, is_syllabic) if syllabic]


def is_syllabic(word: str) -> bool:
    """Returns whether a folded word is Chinese, Japanese or Korean."""
    return _SYLLABIC.fullmatch(word) is not None


def with_plain_digits(text: str) -> str:
    """Returns the text with the digits of every script, and their full-width forms, as ASCII; dashes as hyphens."""
    if text.isascii():
        return text
    narrow = _DASH.sub("-", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    return "".join(c if c.isascii() or not c.isdecimal() else str(unicodedata.decimal(c)) for c in narrow)


def _words_by_parts(name: str) -> Iterator[list[str]]:
    """Yields the composed parts of each word; a mark alone is no part."""
    for word in _BETWEEN_WORDS.split(_composed(name)):
        if parts := [part for part in _CONNECTORS.split(word) if _plain(part).strip()]:
            yield parts


def _composed(name: str) -> str:
    """Returns the name in lower case and compatibility form, its accents still on their letters."""
    if name.isascii():
        return name.lower().replace("`", "'")
    seen = _UNSEEN.sub("", _APOSTROPHES.sub("'", name)).replace("İ", "i")
    compatible = _UNSEEN.sub("", _APOSTROPHES.sub("'", unicodedata.normalize("NFKD", seen)))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", compatible).casefold())


def _written(part: str) -> Set[str]:
    """Returns the spellings of a part of a word: each umlaut as its letter and as two letters."""
    if part.isascii():
        return {part}
    both = [(c, _WRITTEN_OUT[c]) if c in _WRITTEN_OUT else (c,) for c in part]
    if sum(map(len, both)) - len(both) > MOST_UMLAUTS:
        return {_plain(part), _plain("".join(ways[-1] for ways in both))}
    return {_plain("".join(mixed)) for mixed in product(*both)}


def _plain(composed: str) -> str:
    """Returns a composed text without accents, each letter as its plainest variant."""
    if composed.isascii():
        return composed
    letters = (c for c in unicodedata.normalize("NFKD", composed) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", "".join(c if c.isascii() else _plain_letter(c) for c in letters))


@lru_cache(maxsize=4096)
def _plain_letter(letter: str) -> str:
    """Returns the plainest variant of a letter or digit, mostly by its name in Unicode: `O WITH STROKE` is `O`."""
    digit = unicodedata.decimal(letter, None)
    if digit is not None:
        return str(digit)
    if letter in _PLAIN or not letter.isalpha():
        return _PLAIN.get(letter, letter)
    name = unicodedata.name(letter, "").partition(" WITH ")[0]
    try:
        plainer = unicodedata.lookup(name.replace("LETTER FINAL ", "LETTER ").replace("KATAKANA", "HIRAGANA"))
    except KeyError:
        return letter
    return letter if plainer == letter or _UNSEEN.fullmatch(plainer) else _plain(plainer)
