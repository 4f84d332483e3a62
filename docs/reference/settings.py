"""Writes docs/operations/configuration.md: every setting with its default and its meaning."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from docs.reference.markdown import page, table
from server.config import settings as module
from server.config.settings import Settings
from server.config.values import SECRETS

INTRODUCTION: Final = """Settings are environment variables or lines of a file `.env`. A setting with "file" may also
stand in a file whose path `NAME_FILE` holds. `env.example` is the same list to copy from."""


def settings() -> str:
    """Returns the page."""
    meanings = dict(_meanings())
    rows = [
        [f"`{name.upper()}`", _default(field), _file(name), meanings.get(name, "")]
        for name, field in Settings.model_fields.items()
    ]
    return page("Configuration", INTRODUCTION, table(("variable", "default", "file", "meaning"), rows))


def _meanings() -> Iterator[tuple[str, str]]:
    """Yields the docstring below each field of Settings."""
    tree = ast.parse(inspect.getsource(module))
    (definition,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield ast.unparse(field.target), str(text.value.value)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value in (None, "", (), {}):
        return "–"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value}`"


def _file(name: str) -> str:
    return "file" if name.upper() in SECRETS else ""
