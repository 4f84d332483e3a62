"""Writes docs/security/controls.md: every security control and the tests that prove it."""

from collections import defaultdict
from typing import Final

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT
from tests.architecture.test_security_page import proofs
from tests.security.controls import CONTROLS

INTRODUCTION: Final = """A control is a measure against attackers, and has an id: S1 to S18 concern passwords and
accounts, S19 to S29 tokens and sessions, S30 to S40 authorization, S42 to S47 QR codes and cryptography, S48 to S52 the
audit, S57 to S63 emails and logs, S64 to S72 limits, S73 to S80 the edge, the configuration and the supply chain;
higher numbers were added later. Gaps are controls that are planned.

Each control is proved by at least one test, which carries its id as a marker, `@control("S38")`; the build fails for a
control without one. `make test T="tests -m control"` runs these tests."""


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
