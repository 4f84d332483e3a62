"""Writes docs/contributing/commands.md: every make target and every test folder."""

import ast
import re
from typing import Final

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT

INTRODUCTION: Final = "`make` alone lists the commands, too. `make check` is what must pass before a change lands."


def commands() -> str:
    """Returns the page."""
    targets = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = [[f"`make {name}`", text] for name, text in targets]
    folders = [
        [f"`tests/{folder.name}`", ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""]
        for folder in sorted((ROOT / "tests").iterdir())
        if (folder / "__init__.py").exists()
    ]
    sections = [
        table(("command", "what it does"), rows),
        "## Test folders",
        table(("folder", "what it proves"), folders),
    ]
    return page("Commands", INTRODUCTION, *sections)
