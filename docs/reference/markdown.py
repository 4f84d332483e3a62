"""Markdown that the reference pages share."""

from collections.abc import Iterable, Sequence
from typing import Final

NOTICE: Final = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


def page(title: str, introduction: str, *sections: str) -> str:
    """Returns a whole page with the notice that it is generated."""
    return "\n\n".join([NOTICE, f"# {title}", introduction, *sections]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; pipes and line breaks in cells are escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
