"""A section of the report: each benchmark writes one, and the report joins all that it finds."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

FOLDER: Final = Path(__file__).parents[1] / "out"
ORDER: Final = ("calls", "system", "outside", "emails", "scale")
"""The sections of the report by name, in its order; those that were not measured are missing."""


@dataclass(frozen=True, slots=True)
class Target:
    """A limit and the figure that is compared with it; `at_least`: the figure must not be smaller."""

    question: str
    measured: float
    limit: float
    unit: str
    source: str
    """Who asks for it: `issue 13` or the quiet machine of the performance page."""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """True if the figure keeps the limit."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; the first column holds names."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart; `parts`: it is divided into these values, which have names in the chart."""

    name: str
    parts: Sequence[float]
    limit: float | None = None
    """The target, drawn as a line across the bar."""
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of horizontal bars."""

    name: str
    """The name of its file."""
    title: str
    parts: Sequence[str]
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Section:
    """The findings of one benchmark, and how they were measured."""

    name: str
    title: str
    notes: str
    tables: Sequence[Table] = ()
    targets: Sequence[Target] = ()
    charts: Sequence[Chart] = ()
    machine: str = field(default="")

    def save(self) -> None:
        """Stores the section for the report."""
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{self.name}.json").write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Returns a stored section."""
        stored: dict[str, Any] = json.loads(file.read_text())
        charts = [Chart(**{**one, "bars": [Bar(**bar) for bar in one["bars"]]}) for one in stored["charts"]]
        tables = [Table(**one) for one in stored["tables"]]
        targets = [Target(**one) for one in stored["targets"]]
        return cls(**{**stored, "tables": tables, "targets": targets, "charts": charts})


def stored_sections() -> list[Section]:
    """Returns the stored sections in the order of the report."""
    return [Section.load(file) for name in ORDER if (file := FOLDER / f"{name}.json").exists()]
