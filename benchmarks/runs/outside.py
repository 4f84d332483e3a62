"""Compares one indexed read with the same read by Express and by Fastify with pg, in turn in one run.

It needs node and npm, which installs the packages from the registry that it is configured with.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

from benchmarks.hospital.facts import Size
from benchmarks.load import Caller, Round
from benchmarks.plan import Call, Variant
from benchmarks.processes import cpu_seconds
from benchmarks.report.sections import Bar, Chart, Section, Table
from benchmarks.stage import Stage, callers, staged
from benchmarks.story import Story

SOURCES: Final = Path(__file__).parents[1] / "outside"
INSTALLED: Final = Path(__file__).parents[2] / "var" / "benchmarks" / "outside"
FRAMEWORKS: Final = ("express", "fastify")
INSTALL_SECONDS: Final = 120
READ: Final = "GetCurrentUser"
TITLE: Final = "One indexed read by other frameworks"


async def run(seconds: float, rounds: int, seed: int) -> Section:
    """Measures the read; a section without figures states why there are none."""
    problem = await _install()
    if problem:
        return Section("outside", TITLE, f"Not measured: {problem}.")
    measured: dict[str, list[Round]] = {}
    async with (
        staged(Size(1_000, 5_000), seconds, seed, _chosen) as stage,
        callers(stage, (Variant.SERVER, Variant.REST)) as ours,
        AsyncExitStack() as stack,
    ):
        call = stage.calls[0].call
        theirs = replace(call, http=(_request(UUID(stage.hospital.facts.user_ids[1])),))
        pairs = [(variant.value, call, caller) for variant, caller in ours.items()]
        pairs += [(name, theirs, await stack.enter_async_context(_served(name, stage))) for name in FRAMEWORKS]
        for _ in range(rounds + 1):
            for name, read, caller in pairs:
                measured.setdefault(name, []).append(await caller.round(read, seconds))
    return section({name: warm[1:] for name, warm in measured.items()})


def section(measured: Mapping[str, Sequence[Round]]) -> Section:
    """Returns the section of these rounds, by server."""
    names = {Variant.SERVER.value: f"MedConnect, {READ} over gRPC", Variant.REST.value: f"MedConnect, {READ} over REST"}
    rows, bars = [], []
    for name, rounds in measured.items():
        title = names.get(name, f"{name.capitalize()} with pg, bare")
        cpu, edge, rate = (median(getattr(one, figure) for one in rounds) for figure in ("cpu", "edge", "rate"))
        rows.append((title, f"{cpu:,.0f}", f"{edge:,.0f}", f"{rate:,.0f}"))
        bars.append(Bar(title, [cpu, edge]))
    notes = (
        "CPU microseconds per call. Express and Fastify answer one prepared read by primary key and do nothing else: no"
        " authentication, no limits, no validation, no audit record. MedConnect does all of these in the same call."
    )
    chart = Chart("outside", "One indexed read: CPU microseconds", ("server", "Envoy"), bars)
    return Section("outside", TITLE, notes, [Table(("server", "CPU", "Envoy", "calls/s"), rows)], (), [chart])


def _chosen(story: Story) -> Collection[Call]:
    return [call for call in story.calls() if call.name == READ]


def _request(user_id: UUID) -> bytes:
    return f"GET /users/{user_id} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


async def _install() -> str:
    """Installs the frameworks unless an earlier run did; returns why that is impossible, or an empty text."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("server.js", "package.json"):
        shutil.copy(SOURCES / name, INSTALLED)
    if (INSTALLED / "node_modules" / "fastify").exists():
        return ""
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error")
    npm = await asyncio.create_subprocess_exec(
        "npm", "install", *options, cwd=INSTALLED, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(INSTALL_SECONDS):
            status = await npm.wait()
    except TimeoutError:
        npm.kill()
        return f"npm did not install the packages within {INSTALL_SECONDS} s"
    return "" if status == 0 else "npm could not install the packages"


@asynccontextmanager
async def _served(framework: str, stage: Stage) -> AsyncIterator[Caller]:
    """Runs one of the frameworks and yields a connection to it."""
    postgres = stage.postgres
    environment = {
        "PGHOST": str(postgres.socket_directory),
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.user,
        "PGPASSWORD": postgres.password,
        "PGDATABASE": stage.hospital.name,
        "NODE_ENV": "production",
        "PATH": os.environ["PATH"],
    }
    process = await asyncio.create_subprocess_exec(
        "node", "server.js", framework, cwd=INSTALLED, env=environment, stdout=asyncio.subprocess.PIPE
    )
    if process.stdout is None:
        raise RuntimeError("the output is piped")
    try:
        port = int(await process.stdout.readline())
        cpu = partial(cpu_seconds, process.pid)
        async with Caller(port, cpu, stage.database_clock, lambda: 0.0) as caller:
            yield caller
    finally:
        process.terminate()
        await process.wait()
