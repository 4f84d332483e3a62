"""Writes sections as Markdown."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from benchmarks.report.sections import Section, Table, Target

LINE: Final = 120
"""The length of a line of the report's texts."""


def report(sections: Sequence[Section], charts: str) -> str:
    """Returns the whole report; charts: the folder of the charts, relative to the report's file."""
    targets = [target for section in sections for target in section.targets]
    met = sum(target.is_met for target in targets)
    parts = [
        "# Benchmark results",
        "Written by `make bench-results`; how to run and read it: `docs/contributing/performance.md`.",
        f"**{met} of {len(targets)} targets are met.**",
        *(part for section in sections for part in _section(section, charts)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(section: Section, charts: str) -> Iterator[str]:
    yield f"## {section.title}"
    yield textwrap.fill(section.notes, LINE)
    yield textwrap.fill(f"Measured on {section.machine}.", LINE)
    for chart in section.charts:
        yield f"![{chart.title}]({charts}/{chart.name}.svg)"
    for table in section.tables:
        if table.title:
            yield f"### {table.title}"
        yield markdown_table(table)
    if section.targets:
        yield f"### Targets: {section.title.lower()}"
        yield markdown_table(_target_table(section.targets))


def markdown_table(table: Table) -> str:
    """Returns a table; columns after the first are aligned right."""
    rule = ["---", *["---:"] * (len(table.head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.head, rule, *table.rows))


def _target_table(targets: Iterable[Target]) -> Table:
    rows = [
        (
            target.question,
            f"{figure(target.measured)} {target.unit}".rstrip(),
            f"{'≥' if target.at_least else '≤'} {figure(target.limit)} {target.unit}".rstrip(),
            target.source,
            "met" if target.is_met else "**not met**",
        )
        for target in targets
    ]
    return Table(("question", "measured", "target", "asked by", "result"), rows)


def figure(value: float) -> str:
    """Returns a number with three digits or, from 100 on, without a fraction."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
