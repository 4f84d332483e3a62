"""The search index of people: the keys stored of name, phone number and date of birth, and the query of a search text.

A record's keys are the lexemes of one `tsvector`; a search is a `tsquery` over them, in which a key may match as a
prefix. Keys of numbers and dates begin with a word and a colon, which no word of a name contains.
"""

from collections.abc import Iterable, Iterator, Set
from datetime import date
from typing import Final

import regex

from server import name_search, phone_number

WHOLE_WORD_LENGTH: Final = 2
"""Words up to this length must match whole words: as prefixes they would match a large part of all people. Not so in
Chinese, Japanese and Korean, where a whole name is as long."""
LONGEST_KEY: Final = 40
"""Longer words are found by their first characters; the words of a search are cut to the same length."""
FEWEST_DIGITS: Final = 5
"""Fewer digits are part of a name, as in `Henry 8`, and no phone number."""

_PHONE: Final = regex.compile(
    rf"(?<![\w-]){phone_number.PREFIX}{phone_number.NUMBER}{phone_number.EXTENSION}(?!\w)", regex.IGNORECASE
)
_DAY: Final = regex.compile(r"(?<!\S)(?:\d{4}([-/.])\d\d?\1\d\d?|\d\d?([-/.])\d\d?\2\d{4})(?![\w/-])")
"""A whole day as one word: it is no part of the phone number beside it."""
_DATE: Final = regex.compile(
    r"(\d{4})[-/. ](\d\d?)(?:[-/. ](\d\d?))?|(\d\d?)[-/. ]+(\d\d?)[-/. ]+(\d{4})|(\d{4})(?:(\d\d)(\d\d))?"
)
_YEARS: Final = range(1900, 2100)


def stored(name: str, phone: str = "", born: date | None = None) -> list[str]:
    """Returns the keys of a person's record or account, for `array_to_tsvector`."""
    keys = {
        written[:LONGEST_KEY]
        for word, parts in name_search.spellings(name)
        for spellings in (word, *parts)
        for written in spellings
    }
    for run in name_search.syllabic_runs(name):
        keys.update(run[start : start + LONGEST_KEY] for start in range(len(run)))
    if digits := phone_number.search_key(phone):
        keys.add(f"phone:{digits}")
    if born is not None:
        keys.add(f"born:{born:%Y%m%d}")
    return sorted(keys)


def query(search: str) -> str | None:
    """Returns the `tsquery` text of a search: words of a name, a phone number, a date of birth, or several.

    Each word finds names with a word that begins with it; a number finds phone numbers that end with it; a date may be
    written in any order, and a year or a month finds all days of it. None if the search has no word.
    """
    terms = list(_terms(name_search.with_plain_digits(search)))
    return " & ".join(terms) or None


def _terms(search: str) -> Iterator[str]:
    after = 0
    for found in _DAY.finditer(search):
        yield from _numbers_and_words(search[after : found.start()])
        yield from filter(None, [_any_of(_meanings(found[0]))])
        after = found.end()
    yield from _numbers_and_words(search[after:])


def _numbers_and_words(search: str) -> Iterator[str]:
    after = 0
    for found in _PHONE.finditer(search):
        if meanings := _any_of(_meanings(found[0])):
            yield from _words(search[after : found.start()])
            yield meanings
            after = found.end()
    yield from _words(search[after:])


def _meanings(number: str) -> Iterator[str]:
    """Yields the queries for what a number may be: dates in any order, and a phone number."""
    if dates := set(_dates(number.strip())):
        yield from (f"'born:{day}':*" for day in sorted(dates))
    if not dates or number.isdecimal():
        digits = phone_number.search_key(number)
        if len(digits) >= FEWEST_DIGITS:
            yield f"'phone:{digits}':*"
        elif dates:
            yield from _words(number)


def _dates(text: str) -> Iterator[str]:
    """Yields the days, month or year that a text may mean, as digits; `3/5/1972` is in May and in March."""
    match = _DATE.fullmatch(text)
    if match is None:
        return
    year, month, day, first, second, last, plain_year, plain_month, plain_day = match.groups(default="")
    readings = [(year, month, day), (last, first, second), (last, second, first), (plain_year, plain_month, plain_day)]
    for of_year, of_month, of_day in readings:
        if (
            of_year
            and int(of_year) in _YEARS
            and int(of_month or 1) in range(1, 13)
            and int(of_day or 1) in range(1, 32)
        ):
            yield of_year + "".join(part.zfill(2) for part in (of_month, of_day) if part)


def _words(text: str) -> Iterator[str]:
    for word, parts in name_search.spellings(text):
        yield _any_of([_any(word), " & ".join(map(_any, parts))][: len(parts)])


def _any(spellings: Set[str]) -> str:
    return _any_of(sorted({_prefix(word[:LONGEST_KEY]) for word in spellings}))


def _any_of(queries: Iterable[str]) -> str:
    found = list(queries)
    return f"({' | '.join(found)})" if len(found) > 1 else "".join(found)


def _prefix(word: str) -> str:
    whole = len(word) <= WHOLE_WORD_LENGTH and not name_search.is_syllabic(word)
    return f"'{word}'" if whole else f"'{word}':*"
