"""A person is found however the name, phone number or date of birth is written."""

import random
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Final

import asyncpg
import pytest
import regex

from server.name_search import fold
from server.search_keys import query, stored
from tests.fixtures.texts import NAMES

SCRIPTS: Final = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Georgian", "Hebrew", "Arabic", "Syriac", "Thaana", "Devanagari",
    "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao",
    "Tibetan", "Myanmar", "Khmer", "Ethiopic", "Cherokee", "Mongolian", "Han", "Hiragana", "Katakana", "Hangul",
    "Tifinagh", "Nko", "Adlam",
)  # fmt: skip
APOSTROPHES: Final = "'’‘ʼʻʹ´`′＇ʿʾ\u200c-‐–−・"
MATCHES: Final = """
    SELECT n, array_to_tsvector(string_to_array(keys, ' ')) @@ search::tsquery AS matches
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (keys, search, n)
"""


async def missed(url: str, asked: list[tuple[list[str], str]]) -> list[str]:
    """Returns the searches that do not match the keys beside them, as PostgreSQL matches them."""
    connection = await asyncpg.connect(url)
    try:
        keys = [" ".join(record) for record, _ in asked]
        rows = await connection.fetch(MATCHES, keys, [query(search) or "" for _, search in asked])
        return [asked[row["n"] - 1][1] for row in rows if not row["matches"]]
    finally:
        await connection.close()


def letters(script: str) -> str:
    """Returns the letters of a script that Python's tables know, without compatibility forms."""
    several = regex.compile(rf"[\p{{Script={script}}}&&\p{{L}}&&\p{{NFKC_Quick_Check=Yes}}--\p{{Lm}}]", regex.VERSION1)
    known = "".join(chr(code) for code in range(0x20000) if unicodedata.category(chr(code)) != "Cn")
    return "".join(several.findall(known))


def random_names(count: int, draw: random.Random) -> Iterator[str]:
    """Yields names of two words of each script in turn; some have an apostrophe or a dash in the second."""
    alphabets = [letters(script) for script in SCRIPTS]
    for number in range(count):
        alphabet = alphabets[number % len(alphabets)]
        first, second = ("".join(draw.choices(alphabet, k=draw.randint(3, 9))) for _ in range(2))
        yield f"{first} {second[:1]}{draw.choice(['', '’', '-'])}{second[1:]}"


def beginnings(name: str) -> str:
    """Returns the beginnings of a name's words, of at least three folded letters."""
    return " ".join(word[:4] if len(fold(word[:4])) > 2 else word for word in name.split())


WRITINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "as stored": str,
    "capitals": str.upper,
    "lower case": str.lower,
    "decomposed": lambda name: unicodedata.normalize("NFKD", name),
    "folded": fold,
    "invisible inside": lambda name: "\u200b".join(name),
    "words swapped": lambda name: " ".join(reversed(name.split())),
    "beginnings": beginnings,
    "other apostrophe": lambda name: name.replace("’", "ʼ").replace("-", "‐"),
    "no apostrophe": lambda name: name.replace("’", "").replace("-", ""),
    "line end": lambda name: f"{name}\r\n",
}


async def test_search_finds_each_name_of_30_scripts(shared_database_url: str, pytestconfig: pytest.Config) -> None:
    names = [*NAMES, *random_names(pytestconfig.getoption("names"), random.Random(16))]
    asked = [(keys, write(name)) for name in names if (keys := stored(name)) for write in WRITINGS.values()]
    assert await missed(shared_database_url, asked) == []


ASKED: Final = {
    "Bjørnstad": ["bjornstad", "BJØRNSTAD", "bjoernstad", "bjør"],
    "Þórhallur": ["thorhallur", "þorh"],
    "Kılıç": ["kilic", "KILIÇ", "kılıç", "KILIC"],
    "KILIÇ": ["Kılıç", "kilic"],
    "Müller": ["mueller", "muller", "MÜLLER", "Mu\u0308ller", "mue"],
    "Mueller": ["Müller", "mueller"],
    "Weiß": ["weiss", "WEISS", "weiß"],
    "Håkon Ångström": ["hakon angstroem", "haakon"],
    "Jørgen Kjærgaard": ["jorgen kjaergaard", "joergen"],
    "Łukasz Wałęsa": ["lukasz walesa"],
    "Đặng": ["dang", "Đang"],
    "Əliyev": ["eliyev"],
    **{f"O{one}Brien": [f"O{other}Brien" for other in APOSTROPHES] + ["obrien", "brien"] for one in APOSTROPHES},
    "欧阳": ["欧阳", "欧"],
    "山田太郎": ["山田", "山", "太郎", "山田 太郎"],
    "山田 太郎": ["山田太郎", "太郎"],
    "司馬\u3000懿": ["司馬", "司馬懿"],
    "김민준": ["김", "김민", "민준"],
    "An\u200bn\u00ad Sm\u2060ith": ["Ann Smith"],
    "葛\U000e0100城": ["葛城", "葛\ufe00城"],
    "علی\u200cرضا": ["علیرضا", "علي رضا", "علی\u200cرضا"],
    "Ёлкин": ["елкин"],
}


async def test_search_finds_names_as_other_keyboards_write_them(shared_database_url: str) -> None:
    asked = [(stored(name), search) for name, searches in ASKED.items() for search in searches]
    assert await missed(shared_database_url, asked) == []


BORN: Final = date(1972, 3, 5)


async def test_search_finds_dates_of_birth_and_phones(shared_database_url: str) -> None:
    phones = ["(0341) 5550123", "+49 341 5550123", "0049 (0)341 555-0123", "0341/5550123", "+49.341.5550123 ext. 7"]
    dates = ["1972-03-05", "05.03.1972", "5/3/1972", "3/5/1972", "5-3-1972", "1972", "1972-03", "19720305", "٥/٣/١٩٧٢"]
    asked = [(stored("Ann", one), f"{name}{other}") for one in phones for other in phones for name in ("", "ann ")]
    asked += [(stored("Ann", "", BORN), f"{day}{name}") for day in dates for name in ("", " ann")]
    asked += [(stored("Ann", "555-0123 ext. 7"), search) for search in ("555-0123", "5550123 x7", "50123")]
    assert await missed(shared_database_url, asked) == []


@pytest.mark.parametrize(
    ("name", "search"),
    [("Lina", "li"), ("Ann Li", "ann lina"), ("Susan", "sue"), ("Manuel", "mul"), ("Ann", "5550124"), ("Ann", "1973")],
)
async def test_search_leaves_out_other_people(shared_database_url: str, name: str, search: str) -> None:
    assert await missed(shared_database_url, [(stored(name, "555 0123", BORN), search)]) == [search]
