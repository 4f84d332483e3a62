"""Normalizes texts for storage: visible characters, and the joiners and selectors that their script needs.

Characters are classified by Unicode properties (UAX 44), not by lists; joiners are accepted where RFC 5892's CONTEXTJ
rules need them, as in PRECIS (RFC 8264, FreeformClass). Invisible characters come with pasted text, so they are dropped
and not refused; a text that would display something other than it holds is refused. Blanks around a text are removed,
and each run of blanks inside becomes one, so that two writings of one name are one text; lines of prose keep their
indents.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

import regex

MOST_MARKS: Final = 30
"""The maximum number of marks on one letter, as in Unicode's Stream-Safe Text Format (UAX 15).

The time to sort marks grows with the square of their number; 100,000 marks take half a minute.
"""

_MARKS_OF_DIRECTION: Final = "\u061c\u200e\u200f"
_EMBEDDINGS: Final = "\u202a-\u202e\u2066-\u2069"
_BETWEEN: Final = rf"\p{{Joining_Type=T}}{{0,{MOST_MARKS}}}"
_NEEDED: Final = (
    r"(?<=\p{Canonical_Combining_Class=Virama})[\u200c\u200d]",
    r"(?<=\p{L})\u200d(?=\p{Canonical_Combining_Class=Virama})",  # Bengali and Sinhala, which RFC 5892 leaves out
    rf"(?<=[\p{{Joining_Type=L}}\p{{Joining_Type=D}}]{_BETWEEN})\u200c"
    rf"(?={_BETWEEN}[\p{{Joining_Type=R}}\p{{Joining_Type=D}}])",
    r"(?<=\p{Extended_Pictographic}[\ufe0f\p{Emoji_Modifier}]?)\u200d(?=\p{Extended_Pictographic})",
    r"(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]",
    r"(?<=[0-9#*])\ufe0f(?=\u20e3)",
    r"(?<=\p{Script=Han})[\ufe00-\ufe02\U000e0100-\U000e01ef]",  # the variants in which names are registered in Japan
    r"(?<=[\p{Script=Mongolian}&&\p{L}])[\u180b-\u180f]",
)
"""The contexts in which a script or an emoji needs an invisible character: a joiner or a variation selector."""


def _pattern(text: str) -> "regex.Pattern[str]":
    return regex.compile(text, regex.VERSION1)


def _unseen(*needed: str) -> "regex.Pattern[str]":
    ignorable = rf"[\p{{Default_Ignorable_Code_Point}}--[\p{{Cn}}{_EMBEDDINGS}]]"
    return _pattern(rf"(?!{'|'.join(needed)}){ignorable}")


def _refused(controls: str) -> "regex.Pattern[str]":
    """Matches other invisible formats, private and unassigned characters, and symbols that display nothing."""
    formats = rf"[\p{{Cf}}--\p{{Default_Ignorable_Code_Point}}]{_EMBEDDINGS}"
    return _pattern(rf"[{controls}{formats}\p{{Co}}\p{{Cn}}\p{{Cs}}\p{{Zl}}\p{{Zp}}\ufffc\U0001d159]")


UNSEEN_IN_LINES: Final = _unseen(*_NEEDED)
UNSEEN_IN_BLOCKS: Final = _unseen(*_NEEDED, f"[{_MARKS_OF_DIRECTION}]")  # Hebrew and Arabic prose needs them
REFUSED_IN_LINES: Final = _refused(r"\p{Cc}")
REFUSED_IN_BLOCKS: Final = _refused(r"[\p{Cc}--[\t\n\r]]")
_CONTROL: Final = _pattern(r"[\p{Cc}\p{Zl}\p{Zp}]")
_PILE: Final = _pattern(rf"\p{{M}}{{{MOST_MARKS + 1}}}")
_SEEN: Final = _pattern(r"[[\p{L}\p{N}\p{P}\p{S}]--\u2800]")
_BRAILLE: Final = _pattern("[\u2801-\u28ff]")
_WORDS: Final = _pattern(r"[\p{L}\n]+")
_DIGIT: Final = _pattern(r"\p{Nd}")
_DIRECTION: Final = _pattern(f"[{_MARKS_OF_DIRECTION}]")
_AROUND: Final = "".join(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Unicode's Bidi_Control characters; programs add them around copied text, mostly around numbers."""
_BLANK_AROUND: Final = (
    _AROUND + "\t\n\r" + "".join(c for c in map(chr, range(0x3001)) if unicodedata.category(c) == "Zs")
)
_BLANKS: Final = _pattern(r"(?<=\S)(?:(\u3000)\u3000*|\p{Zs}+)(?=\S)")
"""A run of blanks inside a line; one of ideographic spaces stays one."""
_LINE_END: Final = _pattern(r"\p{Zs}*(?:\r\n|\r|\n)")
_BLANK_LINES: Final = _pattern(r"\A(?:[\t\p{Zs}]*(?:\r\n|\r|\n))+")
"""Blank lines at the beginning of a text."""


def without_unseen(text: str, *, block: bool = False) -> str:
    """Returns the text without invisible characters, except for those that its script needs.

    block: for prose of several lines; direction marks inside the text are kept too. Embeddings, overrides and isolates
    are dropped around a text; inside it they are kept, and then refused.
    """
    if text.isascii():
        return text
    seen: str = (UNSEEN_IN_BLOCKS if block else UNSEEN_IN_LINES).sub("", text)
    return seen.strip(_AROUND)


def stored(text: str, *, block: bool = False) -> tuple[str, str]:
    """Returns the text as it is stored, in Unicode form C, and the fault found in it; empty if there is none.

    Takes time linear in the length. A stored text is stored again unchanged.
    """
    if text.isascii() and text.isprintable():  # most texts: nothing is invisible and nothing can be refused
        return _one_line(text), "must not be blank" if text.isspace() else ""
    seen = without_unseen(text, block=block)
    seen = _BLANK_LINES.sub("", seen).rstrip(_BLANK_AROUND) if block else seen.strip(_BLANK_AROUND)
    wrong = next(_faults(text, seen, block), "")
    if wrong:
        return text, wrong
    return unicodedata.normalize("NFC", _lines(seen) if block else _one_line(seen)), ""


def searched(text: str) -> str:
    """Returns a search text, as a scanner or the clipboard sends it, in one line without invisible characters."""
    seen: str = UNSEEN_IN_LINES.sub("", _CONTROL.sub(" ", text).translate(dict.fromkeys(map(ord, _AROUND))))
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def _one_line(text: str) -> str:
    """Returns a line without blanks around it and with one for each run of them; a folded line is returned itself."""
    folded = _folded(text.strip(" "))
    return text if folded == text else folded


def _lines(text: str) -> str:
    """Returns prose with one form of line end, without blanks before it, and with one blank for each run of them.

    Blanks at the beginning of a line stay: they indent lists.
    """
    return _folded(_LINE_END.sub("\n", text))


def _folded(text: str) -> str:
    if text.isascii() and "  " not in text:
        return text
    folded: str = _BLANKS.sub(lambda found: found[1] or " ", text)
    return folded


def _faults(text: str, seen: str, block: bool) -> Iterator[str]:
    refused = (REFUSED_IN_BLOCKS if block else REFUSED_IN_LINES).search(seen)
    if refused is not None and _CONTROL.match(refused[0]):
        yield "must not hold control characters" if block else "must be one line without control characters"
    if refused is not None or ("\u2800" in seen and not _BRAILLE.search(seen)):
        yield "must not hold characters that show nothing, turn the direction or have no meaning of their own"
    if text and not _SEEN.search(seen):
        yield "must not be blank"
    if _turns_numbers(text):
        yield "must not hold marks of direction between digits"
    if _PILE.search(seen):
        yield f"must not hold more than {MOST_MARKS} marks on a letter"


def _turns_numbers(text: str) -> bool:
    """Returns whether a direction mark stands between two digits without a letter: `1.5` would be read as `5.1`."""
    if not _DIRECTION.search(text):
        return False
    for part in _WORDS.split(text):
        digits = [found.start() for found in _DIGIT.finditer(part)]
        if digits and _DIRECTION.search(part, digits[0], digits[-1]):
            return True
    return False
