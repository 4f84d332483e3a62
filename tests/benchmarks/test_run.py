"""The benchmarks run; a test does not check their measurements."""

import asyncio
import subprocess
import sys
from pathlib import Path

from benchmarks.plan import Variant
from benchmarks.report.bars import svg
from benchmarks.report.markdown import report
from benchmarks.report.sections import Bar, Chart, Section, Table, Target
from benchmarks.runs import calls

ROOT = Path(__file__).parents[2]
ONLY = ("GetCurrentUser", "DispensePrescription")


async def test_a_short_run_measures_calls_against_every_baseline() -> None:
    section = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(240):
        out, errors = await section.communicate()
    assert section.returncode == 0, errors.decode()[-3000:]
    for name in ONLY:
        row = next(line for line in out.decode().splitlines() if line.startswith(f"| {name} |"))
        _, _, statements, *figures, _ = (cell.strip() for cell in row.split("|"))
        assert 1 <= int(statements) <= 6
        assert len(figures) == 7
        assert all(float(figure.replace(",", "")) > 0 for figure in figures)


RUN = f"""
import asyncio
from benchmarks.report.markdown import report
from benchmarks.runs import calls
if __name__ == "__main__":
    print(report([asyncio.run(calls.run(0.1, 1, 1, {ONLY!r}))], "charts"))
"""


def test_report_names_each_target_and_whether_it_is_met() -> None:
    targets = [Target("fast", 1.0, 2.0, "", "test"), Target("slow", 3.0, 2.0, "ms", "test")]
    more = Target("twice", 2.5, 2.0, "", "test", at_least=True)
    section = Section("x", "Things", "Notes.", [Table(("a", "b"), [("c", "1")])], [*targets, more])
    text = report([section], "charts")
    assert "**2 of 3 targets are met.**" in text
    assert "| slow | 3 ms | ≤ 2 ms | test | **not met** |" in text
    assert "| twice | 2.5 | ≥ 2 | test | met |" in text


def test_chart_draws_a_bar_for_each_part_and_its_target() -> None:
    drawn = svg(Chart("x", "a < b", ("one", "two"), [Bar("first", [1.0, 2.0]), Bar("second", [3.0], limit=2.0)]))
    assert "a &lt; b" in drawn
    assert drawn.count("<rect") == 1 + 2 + 3 + 3  # background, legend of two parts and of two results, bars
    assert drawn.count("<line") == 1


def test_calls_of_every_variant_are_in_the_tables() -> None:
    assert list(Variant) == ["F0", "F1", "chain", "server", "REST"]
    assert calls.section([], "").title == "Calls"
