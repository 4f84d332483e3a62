"""Writes docs/security/controls.md: every security control and the tests that prove it."""

from collections import defaultdict
from typing import Final

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT
from tests.architecture.test_security_page import proofs
from tests.security.controls import CONTROLS

INTRODUCTION: Final = """Each control is proved by at least one test; the build fails for a control without one. The
ids follow the project's threat model; gaps are controls that are planned."""


def controls() -> str:
    """Returns the page."""
    files = _files()
    rows = [
        [control, text, ", ".join(f"`{path}`" for path in sorted(files[control]))] for control, text in CONTROLS.items()
    ]
    return page("Security controls", INTRODUCTION, table(("id", "the system ensures", "proved in"), rows))


def _files() -> dict[str, set[str]]:
    files: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text()
        for control in proofs(source):
            files[control].add(str(path.relative_to(ROOT)))
    return files
