"""Runs the benchmarks with `python -m benchmarks COMMAND`; the performance page describes them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.hospital.facts import PASSWORD, Size
from benchmarks.hospital.loading import Report, load
from benchmarks.hospital.tables import email
from benchmarks.machine import describe
from benchmarks.report.bars import svg
from benchmarks.report.markdown import report
from benchmarks.report.sections import FOLDER, Section, stored_sections
from benchmarks.runs import calls as calls_run
from benchmarks.runs import outside as outside_run
from benchmarks.runs import scale as scale_run
from benchmarks.runs import smoke as smoke_run
from benchmarks.runs import system as system_run
from server import logs
from server.qr.key_ring import QrKeyRing
from server.runtime.storage import schema

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
CHARTS: Final = "charts"
KEPT: Final = Path(__file__).parents[1] / "var" / "benchmarks"

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Seed = Annotated[int, typer.Option(help="Seed of the generated hospital.")]
Scale = Annotated[float, typer.Option(min=0.0001, help="1: 200,000 patients with 1,000,000 prescriptions.")]


class Part(StrEnum):
    """The parts of a run."""

    CALLS = "calls"
    SYSTEM = "system"
    OUTSIDE = "outside"


@commands.command()
def run(
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a round.")] = 0.4,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per server; the report shows medians.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help="Measure these methods only.")] = None,
    part: Annotated[list[Part] | None, typer.Option(help="Run these parts only.")] = None,
    calls: Annotated[int, typer.Option(min=1_000, help="Calls between two measurements of memory.")] = 5_000,
    seed: Seed = 1,
) -> None:
    """Measure the server against its baselines, and write the report to benchmarks/out."""
    runs: dict[Part, Callable[[], Coroutine[Any, Any, Section]]] = {
        Part.CALLS: lambda: calls_run.run(seconds, rounds, seed, only or ()),
        Part.SYSTEM: lambda: system_run.run(calls, seed),
        Part.OUTSIDE: lambda: outside_run.run(seconds, rounds, seed),
    }
    for name in part or ([Part.CALLS] if only else list(Part)):
        _keep(runs[name], seed)
    typer.echo(_written(FOLDER / "report.md"), nl=False)


@commands.command()
def scale(
    scale: Scale = 1.0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per hospital; the report shows medians.")] = 15,
    home: Annotated[Path, typer.Option(help="Where the databases are kept for the next run.")] = KEPT,
    seed: Seed = 1,
) -> None:
    """Compare the latency on a large hospital with that on 1 % of it."""
    with _progress() as told:
        _keep(lambda: scale_run.run(scale, rounds, seed, home.absolute(), told), seed)
    typer.echo(_written(FOLDER / "report.md"), nl=False)


@commands.command()
def generate(
    database_url: Annotated[str, typer.Argument(help="A database without accounts, as its owner.")],
    qr_key: Annotated[str, typer.Option(envvar="QR_ENCRYPTION_KEY", help="The instance's QR_ENCRYPTION_KEY.")],
    scale: Scale = 1.0,
    seed: Seed = 1,
) -> None:
    """Fill a development database with a generated hospital."""

    async def fill(told: Report) -> None:
        await schema.upgrade(database_url)
        day = datetime.now(UTC).date()
        await load(database_url, Size.scaled(scale), QrKeyRing.parse(qr_key), seed=seed, day=day, report=told)

    with _progress() as told:
        asyncio.run(fill(told))
    typer.echo(f"The admin is {email(0)}; every account's password is {PASSWORD}.")


@commands.command()
def smoke(update: Annotated[bool, typer.Option(help="Replace the committed ratios.")] = False) -> None:
    """Fail if a ratio to a baseline has grown by more than a third over its committed reference."""
    logs.configure("critical")
    reference = {} if update else smoke_run.read_reference()
    found = asyncio.run(smoke_run.run(reference))
    for name, ratios in found.items():
        typer.echo(f"{name}: " + ", ".join(f"{ratio:.2f} × {base}" for base, ratio in ratios.items()))
    if update:
        smoke_run.write_reference(found)
    if offences := list(smoke_run.grown(found, reference)):
        typer.echo("\n".join(offences), err=True)
        raise typer.Exit(1)


@commands.command()
def results() -> None:
    """Write benchmarks/RESULTS.md and its charts from the sections in benchmarks/out."""
    _written(RESULTS)


def _keep(measure: Callable[[], Coroutine[Any, Any, Section]], seed: int) -> None:
    """Runs a benchmark and stores its section with the machine that it ran on."""
    logs.configure("critical")
    machine = describe(seed)
    replace(asyncio.run(measure()), machine=machine).save()


def _written(file: Path) -> str:
    """Writes the report of all stored sections to a file, its charts beside it, and returns its text."""
    sections = stored_sections()
    folder = file.parent / CHARTS
    folder.mkdir(exist_ok=True)
    for section in sections:
        for chart in section.charts:
            (folder / f"{chart.name}.svg").write_text(svg(chart))
    text = report(sections, CHARTS)
    file.write_text(text)
    return text


@contextmanager
def _progress() -> Iterator[Report]:
    """Shows a bar for each step."""
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bars:
        known: dict[str, Any] = {}

        def told(step: str, done: int, total: int) -> None:
            if step not in known:
                known[step] = bars.add_task(step, total=total)
            bars.update(known[step], completed=done, total=total)

        yield told


if __name__ == "__main__":
    commands()
