"""Letters that look like letters of the Latin alphabet."""

import unicodedata
from functools import cache


@cache
def latin_look_alikes() -> tuple[str, str]:
    """Returns letters, and at the same places the Latin letters that they look like (source: Unicode TS #39).

    Only letters that Unicode form KC leaves as they are, such as a Cyrillic `о`; accents are no look-alikes.
    """
    from confusable_homoglyphs import confusables

    pairs: dict[str, str] = {}
    for letter, shapes in confusables.confusables_data.items():
        latin = next((shape["c"] for shape in shapes if shape["c"].isascii() and shape["c"].isalpha()), "")
        if len(letter) == len(latin) == 1 and not letter.isascii() and unicodedata.normalize("NFKC", letter) == letter:
            pairs[letter] = latin
    return "".join(pairs), "".join(pairs.values())
