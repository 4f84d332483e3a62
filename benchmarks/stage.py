"""Starts what a benchmark measures: a PostgreSQL with a generated hospital, rehearsed calls, and the servers."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg

from benchmarks import baselines, whole
from benchmarks.hospital.databases import QR_KEY, SETTINGS, Hospital, hospital
from benchmarks.hospital.facts import Size
from benchmarks.load import IN_FLIGHT, Caller
from benchmarks.plan import Call, RehearsedCall, Variant
from benchmarks.processes import CpuClock, ServerProcess, cpu_seconds, family_cpu_seconds, running
from benchmarks.rehearsal import rehearse
from benchmarks.story import Story, sign_in
from server.config.settings import Settings, read_settings
from server.db.embedded import cluster
from server.db.embedded.cluster import EmbeddedPostgres
from server.edge import process as edge
from server.runtime import server as app
from server.runtime.instance import edge_config

Choose = Callable[[Story], Collection[Call]]
"""Chooses the calls that are measured."""

ENDLESS: Final = 1_000_000
"""RATE_LIMIT_FACTOR under which no call is limited."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A PostgreSQL with a generated hospital, the settings of its servers, and the calls, rehearsed."""

    postgres: EmbeddedPostgres
    hospital: Hospital
    settings: Settings
    calls: tuple[RehearsedCall, ...]

    @property
    def database_clock(self) -> CpuClock:
        """The CPU time of PostgreSQL with all its processes."""
        pid = self.postgres.pid
        if pid is None:
            raise RuntimeError("PostgreSQL does not run")
        return partial(family_cpu_seconds, pid)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Pool]:
        """Yields a pool of the database's owner."""
        async with asyncpg.create_pool(self.hospital.url, min_size=1, max_size=2) as pool:
            yield pool


@asynccontextmanager
async def staged(size: Size, seconds: float, seed: int, choose: Choose) -> AsyncIterator[Stage]:
    """Yields a new stage with a hospital of this size; its files are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="medconnect-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # the database's account has to reach its folder
        async with cluster.running(home / "postgres", settings=SETTINGS) as postgres:
            yield await stage(postgres, home, await hospital(postgres, size, seed), seconds, choose)


async def stage(
    postgres: EmbeddedPostgres,
    home: Path,
    generated: Hospital,
    seconds: float,
    choose: Choose,
    *,
    rehearsed: bool = True,
) -> Stage:
    """Prepares the chosen calls on a hospital; seconds: the length of a round.

    rehearsed: False for calls that are not compared with baselines.
    """
    settings = _settings(home)
    async with app.core(settings, generated.url) as core, app.serving(core, address=whole.ADDRESS) as server:
        story = Story(generated, await sign_in(generated, server.services), seconds)
        async with asyncpg.create_pool(generated.url, min_size=1, max_size=2) as database:
            await story.prepare(database)
            chosen = tuple(choose(story))
            if not rehearsed:
                return Stage(postgres, generated, settings, tuple(RehearsedCall(call, ()) for call in chosen))
            calls = await rehearse(chosen, server.port, database)
    return Stage(postgres, generated, settings, calls)


def _settings(home: Path) -> Settings:
    return read_settings(
        _env_file=None,
        medconnect_home=home,
        grpc_address="127.0.0.1:0",
        rest_address="127.0.0.1:0",
        jwt_secret=secrets.token_urlsafe(32),
        jwt_expires_in=3600,
        qr_encryption_key=QR_KEY,
        rate_limit_factor=ENDLESS,
        patients_read_per_hour=100_000,
        email_daily_cap=ENDLESS // 100,
        email_keep_days=3650,  # so that no purge runs beside a measurement
    )


@asynccontextmanager
async def callers(
    stage: Stage, variants: Collection[Variant], *, repetitions: int = 0, in_flight: int = IN_FLIGHT
) -> AsyncIterator[Mapping[Variant, Caller]]:
    """Starts each variant in a process of its own and yields connections to them.

    repetitions: for how many calls of a method F1 makes parameters beforehand. in_flight: for gRPC; REST has the usual
    number.
    """
    socket = stage.settings.medconnect_home / "server.sock"
    async with AsyncExitStack() as stack:
        wanted = _servers(stage, variants, repetitions, socket)
        processes = await stack.enter_async_context(running(wanted))
        made = {}
        for variant in variants:
            made[variant] = await stack.enter_async_context(
                await _through_edge(stack, stage, processes[Variant.SERVER], socket)
                if variant is Variant.REST
                else _direct(processes[variant], stage, in_flight)
            )
        yield made


def _servers(
    stage: Stage, variants: Collection[Variant], repetitions: int, socket: Path
) -> Mapping[str, Sequence[object]]:
    settings, url = stage.settings, stage.hospital.url
    servers: dict[str, Sequence[object]] = {
        Variant.F0: (baselines.bare, stage.calls),
        Variant.F1: (baselines.with_database, stage.calls, url, repetitions),
        Variant.CHAIN: (whole.chain, stage.calls, settings, url),
        Variant.SERVER: (whole.server, settings, url, socket),
    }
    chosen = {variant: serving for variant, serving in servers.items() if variant in variants}
    return {**chosen, "worker": (whole.worker, settings, url)}


def _direct(process: ServerProcess, stage: Stage, in_flight: int) -> Caller:
    return Caller(process.port, process.cpu_seconds, stage.database_clock, in_flight=in_flight)


async def _through_edge(stack: AsyncExitStack, stage: Stage, server: ServerProcess, socket: Path) -> Caller:
    config = replace(edge_config(stage.settings, (socket,)), drain_seconds=1.0)
    front = await stack.enter_async_context(edge.running(config))
    pid = front.process.pid
    if pid is None:
        raise RuntimeError("Envoy does not run")
    return Caller(front.address[1], server.cpu_seconds, stage.database_clock, partial(cpu_seconds, pid))
