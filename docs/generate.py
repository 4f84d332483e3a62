"""Writes the reference pages of the documentation (`make docs`), or checks that they are up to date (`--check`)."""

import sys
from collections.abc import Callable, Mapping
from typing import Final

from docs.reference.alerts import alerts
from docs.reference.commands import commands
from docs.reference.controls import controls
from docs.reference.errors import errors
from docs.reference.interceptors import interceptors
from docs.reference.methods import methods
from docs.reference.metrics import metrics
from docs.reference.paths import DOCS
from docs.reference.settings import settings

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "api-methods.md": methods,
    "api-errors.md": errors,
    "architecture-interceptors.md": interceptors,
    "contributing/commands.md": commands,
    "operations/alerts.md": alerts,
    "operations/configuration.md": settings,
    "operations/metrics.md": metrics,
    "security/controls.md": controls,
}


def stale() -> list[str]:
    """Returns the pages that differ from what the code says."""
    return [name for name, write in PAGES.items() if not (path := DOCS / name).exists() or path.read_text() != write()]


def main() -> None:
    """Writes the pages, or with `--check` ends with 1 when one is stale."""
    if "--check" in sys.argv[1:]:
        if names := stale():
            sys.exit(f"run make docs: {', '.join(names)} differ from the code")
        return
    for name, write in PAGES.items():
        (DOCS / name).write_text(write())


if __name__ == "__main__":
    main()
