"""Runs the benchmarks with `python -m benchmarks`: starts an instance and the baselines, and prints a table."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import asyncpg
import typer

from benchmarks import baselines, whole
from benchmarks.hospital import furnish
from benchmarks.load import IN_FLIGHT, Caller, Round
from benchmarks.plan import Call, RehearsedCall
from benchmarks.processes import running
from benchmarks.rehearsal import rehearse, restore
from benchmarks.report import TARGETS, Measured, Variant, report
from server import logs
from server.config.settings import Settings, read_settings
from server.db.embedded import cluster
from server.runtime import server as app
from server.runtime.storage import schema

OUT: Final = Path(__file__).parent / "out" / "first.md"
LEAST_WARM_UP_SECONDS: Final = 0.1


def main(
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a round.")] = 0.8,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per server; the report shows medians.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="Measure these methods only.")] = None,
) -> None:
    """Measure the server against its baselines."""
    logs.configure("warning")
    wanted = frozenset(only or TARGETS)
    if unknown := wanted - TARGETS.keys():
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: known are {', '.join(TARGETS)}", param_hint="--only")
    text = asyncio.run(_benchmark(seconds, rounds, wanted))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text)
    print(text, end="")


async def _benchmark(seconds: float, rounds: int, wanted: frozenset[str]) -> str:
    async with _database() as (home, url):
        settings = _settings(home)
        known = await _rehearsed(settings, url, seconds, wanted)
        async with _callers(known, settings, url) as callers, asyncpg.create_pool(url, min_size=1) as database:
            measured = [await _measure(one, callers, database, seconds, rounds) for one in known]
    return report(measured, f"{rounds} rounds of {seconds:g} s per variant, in turn, with {IN_FLIGHT} calls in flight.")


@asynccontextmanager
async def _database() -> AsyncIterator[tuple[Path, str]]:
    """Yields an instance's folder and the URL of its migrated PostgreSQL, with PostgreSQL's default durability."""
    with tempfile.TemporaryDirectory(prefix="medconnect-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # the database's account has to reach its folder
        async with cluster.running(home / "postgres") as postgres:
            await schema.upgrade(postgres.url())
            yield home, postgres.url()


def _settings(home: Path) -> Settings:
    return read_settings(
        _env_file=None,
        medconnect_home=home,
        grpc_address="127.0.0.1:0",
        jwt_secret=secrets.token_urlsafe(32),
        jwt_expires_in=3600,
        qr_encryption_key=secrets.token_urlsafe(32),
        rate_limit_factor=1_000_000,
    )


async def _rehearsed(settings: Settings, url: str, seconds: float, wanted: frozenset[str]) -> tuple[RehearsedCall, ...]:
    async with app.core(settings, url) as core, app.serving(core, address=settings.grpc_address) as server:
        calls = [call for call in await furnish(core, server.services, seconds) if call.name in wanted]
        async with asyncpg.create_pool(url, min_size=1) as database:
            return await rehearse(calls, server.port, database)


@asynccontextmanager
async def _callers(
    known: Sequence[RehearsedCall], settings: Settings, url: str
) -> AsyncIterator[Mapping[Variant, Caller]]:
    """Starts each variant in a process of its own and connects to it."""
    servers = {
        Variant.F0: (baselines.bare, known),
        Variant.F1: (baselines.with_database, known, url),
        Variant.CHAIN: (whole.chain, known, settings, url),
        Variant.SERVER: (whole.server, settings, url),
    }
    others = {"worker": (whole.worker, settings, url)}
    async with running({**servers, **others}) as processes, AsyncExitStack() as stack:
        yield {variant: await stack.enter_async_context(Caller(processes[variant])) for variant in servers}


async def _measure(
    known: RehearsedCall, callers: Mapping[Variant, Caller], database: asyncpg.Pool, seconds: float, rounds: int
) -> Measured:
    """Warms every variant up, then measures them in turn, round by round, so that disturbances affect all of them."""
    measured: dict[Variant, list[Round]] = {variant: [] for variant in callers}
    for caller in callers.values():
        await _round(known.call, caller, database, max(LEAST_WARM_UP_SECONDS, seconds / 2))
    for _ in range(rounds):
        for variant, caller in callers.items():
            measured[variant].append(await _round(known.call, caller, database, seconds))
    return Measured(known, measured)


async def _round(call: Call, caller: Caller, database: asyncpg.Pool, seconds: float) -> Round:
    await restore(call, database)
    return await caller.round(call, seconds)


if __name__ == "__main__":
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(main)
    command()
