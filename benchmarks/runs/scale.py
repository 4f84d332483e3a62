"""Compares the latency on a large hospital with that on one percent of it, in turn on one PostgreSQL."""

import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg

from benchmarks.hospital.databases import SETTINGS, hospital
from benchmarks.hospital.facts import Size
from benchmarks.hospital.loading import Report, quiet
from benchmarks.load import Caller, Round
from benchmarks.plan import Call, Variant
from benchmarks.rehearsal import restore
from benchmarks.report.sections import Bar, Chart, Section, Table, Target
from benchmarks.stage import Stage, callers, stage
from benchmarks.story import Story
from server.db.embedded import cluster

SHARE: Final = 0.01
LIMIT: Final = 1.2
ROUND_SECONDS: Final = 0.15
COMPARED: Final = (
    "GetPrescription",
    "LookupPrescriptions",
    "ScanQrCode",
    "ListPrescriptions, 20",
    "ListMyPrescriptions",
    "GetMedicalHistory",
    "ListDispensingHistory, 20",
    "ListPatients, search",
    "ListAuditRecords, 20",
)


class _Side:
    """One of the two hospitals, with a server of its own."""

    def __init__(self, stage: Stage, caller: Caller, database: asyncpg.Pool) -> None:
        self.calls = [known.call for known in stage.calls]
        self._caller = caller
        self._database = database

    async def round(self, number: int) -> Round:
        """Calls one at a time, so that no call waits for another."""
        call = self.calls[number]
        await restore(call, self._database)
        return await self._caller.round(call, ROUND_SECONDS)


async def run(scale: float, rounds: int, seed: int, home: Path, report: Report = quiet) -> Section:
    """Measures both hospitals; home: the folder in which their databases are kept for the next run."""
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    sizes = (Size.scaled(scale * SHARE), Size.scaled(scale))
    began = time.perf_counter()
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(cluster.running(home / "postgres", settings=SETTINGS))
        sides = []
        for size in sizes:
            generated = await hospital(postgres, size, seed, report)
            folder = home / str(size.patients)
            folder.mkdir(mode=0o711, exist_ok=True)
            made = await stage(postgres, folder, generated, ROUND_SECONDS, _chosen, rehearsed=False)
            [caller] = (await stack.enter_async_context(callers(made, (Variant.SERVER,), in_flight=1))).values()
            sides.append(_Side(made, caller, await stack.enter_async_context(made.database())))
        prepared = time.perf_counter() - began
        small, large = sides
        measured = {call.name: await _compare(number, small, large, rounds) for number, call in enumerate(small.calls)}
    return section(measured, sizes, f"{rounds} rounds each, in turn; the databases were ready after {prepared:,.0f} s.")


def _chosen(story: Story) -> Collection[Call]:
    return [call for call in story.calls() if call.name in COMPARED]


async def _compare(number: int, small: _Side, large: _Side, rounds: int) -> tuple[float, float]:
    """Returns the medians of the p50 on the small and on the large hospital, in milliseconds."""
    for side in (small, large):
        await side.round(number)
    pairs = [(await small.round(number), await large.round(number)) for _ in range(rounds)]
    return median(one.p50 for one, _ in pairs), median(other.p50 for _, other in pairs)


def section(measured: dict[str, tuple[float, float]], sizes: tuple[Size, Size], setting: str) -> Section:
    """Returns the section of these figures: the p50 on the small and the large hospital by the name of the call."""
    small, large = sizes
    notes = (
        f"p50 over gRPC with one call in flight, on {large.patients:,} patients with {large.prescriptions:,}"
        f" prescriptions, {large.prescriptions * 3:,} items, visits, the pharmacies' log, emails and audit, against"
        f" {small.patients:,} patients with {small.prescriptions:,} prescriptions. Doctors and pharmacists grow with"
        f" the patients. {setting}"
    )
    ratios = {name: after / before for name, (before, after) in measured.items()}
    rows = [(name, f"{one:.2f}", f"{other:.2f}", f"{ratios[name]:.2f}") for name, (one, other) in measured.items()]
    head = ("call", f"{small.prescriptions:,} prescriptions, ms", f"{large.prescriptions:,} prescriptions, ms", "ratio")
    targets = [Target(f"{name}, p50 large ÷ small", ratio, LIMIT, "", "issue 13") for name, ratio in ratios.items()]
    bars = [Bar(name, [ratio], LIMIT) for name, ratio in ratios.items()]
    chart = Chart("scale", "Median latency on the large hospital as a multiple of that on 1 % of it", ("ratio",), bars)
    return Section("scale", "Growth", notes, [Table(head, rows)], targets, [chart])
