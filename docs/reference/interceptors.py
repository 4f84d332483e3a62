"""Writes docs/architecture-interceptors.md: the chain around every call, outermost first."""

import ast
import inspect
import re
from typing import Final

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT
from server.runtime import server

INTRODUCTION: Final = """Each interceptor makes one decision about a call: it proceeds or raises a declared error.
The order below is that of the code; the reason stands beside each line there."""


def interceptors() -> str:
    """Returns the page."""
    rows = [[str(number), f"`{name}`", reason] for number, (name, reason) in enumerate(chain(), 1)]
    return page("Interceptors", INTRODUCTION, table(("", "interceptor", "why it is here"), rows))


def chain() -> list[tuple[str, str]]:
    """Returns name and comment of each line of the chain in the composition root."""
    source = inspect.getsource(server.chain)
    body = source[source.index("Chain(\n        [") :].split("],\n        methods")[0]
    lines = re.findall(r"^(?:            # (.*)\n)?            (\w+)[^#\n]*(?:#\s*(.*))?$", body, re.MULTILINE)
    files = {_class(path.read_text()): path.stem for path in (ROOT / "server/api/interceptors").glob("*.py")}
    return [(files.get(name, name), above or behind) for above, name, behind in lines]


def _class(source: str) -> str:
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return names[-1] if names else ""
