"""The commands of `medconnect`; each reads the settings and starts what it needs."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib import metadata
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console

from server import logs
from server.api.interceptors.contract import AccessUndeclared
from server.api.status import UnpublishedError
from server.audit.head_keys import HeadKeysWrong
from server.auth.tokens.keys import KeyNotUsable
from server.cli import admin as cli_admin
from server.cli import audit as cli_audit
from server.cli import backup as cli_backup
from server.cli import greeting
from server.cli import health as cli_health
from server.cli import keys as cli_keys
from server.config.settings import ConfigurationWrong, Settings
from server.db.embedded.base_backup import BackupFailed
from server.db.embedded.cluster import DatabaseInUse
from server.db.embedded.restore import RestoreRefused
from server.db.failures import OUTAGES, describe
from server.runtime import example_hospital, instance, processes, server, validation
from server.runtime.storage import schema
from server.supervision import core_dumps
from server.supervision.restarts import KeepsDying, StartFailed

EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h: the configuration is wrong, and a restart cannot help."""

LAME_DUCK_SECONDS: Final = 3.0
"""Longer than load balancers take for two health checks."""

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="MedConnect: prescriptions and patient records.",
)
audit = typer.Typer(no_args_is_help=True, help="Verify the audit's hash chain.")
commands.add_typer(audit, name="audit")
admin = typer.Typer(no_args_is_help=True, help="Let an admin in again.")
commands.add_typer(admin, name="admin")
commands.add_typer(cli_keys.commands, name="keys")
commands.command()(cli_health.health)
console = Console(highlight=False, emoji=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def main() -> None:
    """Runs a command; prints one line for an error that ends it, or one line per variable of a wrong configuration."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # a service's log is read while it runs
    try:
        commands()
    except ConfigurationWrong as problem:
        for name, fault in problem.faults.items():
            errors.print(f"{name}: {fault}", markup=False)
        sys.exit(EXIT_CONFIG)
    except (
        AccessUndeclared,
        BackupFailed,
        cli_admin.NoAdmin,
        DatabaseInUse,
        HeadKeysWrong,
        KeepsDying,
        KeyNotUsable,
        RestoreRefused,
        StartFailed,
        UnpublishedError,
        schema.MigrationFailed,
        schema.SchemaOutdated,
        OSError,
    ) as problem:
        errors.print(f"medconnect: {problem}", style="red", markup=False)
        sys.exit(1)
    except OUTAGES as problem:
        errors.print(f"medconnect: {describe(problem)}", style="red", markup=False)
        sys.exit(1)
    except Exception as problem:  # such as failed background work; the text may quote what must not be logged
        if not structlog.is_configured():
            logs.configure("error")
        structlog.get_logger().error("ended_by_error", exc_info=True)
        errors.print(f"medconnect: ended by {type(problem).__name__}", style="red", markup=False)
        sys.exit(1)


@commands.command()
def up() -> None:
    """Start everything from nothing: database, migrations, first admin, server, email worker, REST edge."""

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        async with instance.up(settings) as running:
            _log_start(grpc=running.grpc_address, rest=running.rest_address)
            greeting.greet(settings, running)
            await _stopping(stop)
            console.print("Stopping …")

    _run_service("up", run)


@commands.command()
def serve() -> None:
    """Serve gRPC alone, without the edge: on the settings' address and on the edge's socket."""

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        instance.require_free_ports(settings, "GRPC_DIRECT_ADDRESS" if settings.grpc_direct_address else "GRPC_ADDRESS")
        async with (
            instance.database(settings) as urls,
            server.core(settings, urls.server, urls.sealer) as core,
            instance.serving(
                core, urls, settings.grpc_direct_address or settings.grpc_address, _lame_duck(settings)
            ) as servers,
        ):
            _log_start(port=servers.port)
            console.print(f"gRPC on port {servers.port}")
            greeting.tell_password(settings, servers.new_admin_password)
            await _stopping(stop)

    _run_service("serve", run)


@commands.command(hidden=True)
def serve_one(number: Annotated[int, typer.Argument(help="the number of the process, from 0")]) -> None:
    """Run one of several serving processes; `up` and `serve` start them."""

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        async with instance.serving_as(number, settings) as end_streams:
            asyncio.get_running_loop().add_signal_handler(processes.END_STREAMS, end_streams)
            os.write(sys.stdout.fileno(), processes.READY)
            _log_start()
            await _stopping(stop)

    _run_service(f"serve-{number}", run)


@commands.command()
def worker() -> None:
    """Run the background worker alone: emails, expiry, sealing, purges."""

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        async with (
            instance.database(settings) as urls,
            server.core(settings, urls.server, urls.sealer) as core,
            server.background_jobs(core),
            server.observed(core, settings.metrics_address),
        ):
            _log_start()
            console.print("Sending emails.")
            await _stopping(stop)

    _run_service("worker", run)


@commands.command()
def migrate() -> None:
    """Migrate the database to the newest revision."""
    _run(_on_database(schema.upgrade))
    console.print(f"The database is at revision {schema.head()}.")


@commands.command()
def rollback() -> None:
    """Undo the last migration."""
    _run(_on_database(schema.downgrade))
    console.print("The last migration was undone.")


@commands.command()
def revision(message: Annotated[str, typer.Argument(help="what the migration does, a noun")]) -> None:
    """Write a migration with what the tables have and the database lacks."""

    async def run(url: str) -> None:
        await schema.upgrade(url)
        if not await schema.new_revision(url, message):
            console.print("The tables and the database agree: there is nothing to migrate.")

    _run(_on_database(run))


@commands.command()
def seed() -> None:
    """Load a small example hospital (development only)."""

    async def run(settings: Settings) -> None:
        async with instance.database(settings) as urls:
            await schema.upgrade(urls.owner)
            async with server.core(settings, urls.server, urls.sealer) as core:
                with server.use_cases(core) as services:
                    people = await example_hospital.load(services)
        for person in people:
            console.print(f"{person.role:<10} {person.email:<32} {person.password}", markup=False)

    _run(_development_only(run))


@commands.command()
def cleanup() -> None:
    """Delete expired data: tokens, sessions, codes, keys, and emails finished long ago."""

    async def run(settings: Settings) -> None:
        async with instance.database(settings) as urls, server.core(settings, urls.server, urls.sealer) as core:
            for things, count in (await server.retention(core).purge()).items():
                console.print(f"{count:>8} {things}")

    _run(run)


@commands.command()
def backup(keep: cli_backup.Keep = 7) -> None:
    """Make a base backup of the embedded database in BACKUP_FOLDER, and verify it."""
    _run(lambda settings: cli_backup.take(settings, keep))


@commands.command()
def restore(until: cli_backup.Until = None, verify: cli_backup.Verify = False) -> None:
    """Restore the embedded database from BACKUP_FOLDER into a home that has none."""
    _run(lambda settings: cli_backup.put_back(settings, until))
    if verify:
        _run(lambda settings: cli_audit.verify(settings, None, None, None))


@commands.command()
def clear() -> None:
    """Empty every table (development only)."""
    _run(_development_only(_on_database(schema.clear)))
    console.print("Every table is empty.")


@commands.command()
def reset() -> None:
    """Drop everything and migrate an empty schema (development only)."""
    _run(_development_only(_on_database(schema.reset)))
    console.print("The database is new.")


@audit.command()
def verify(
    heads: cli_audit.HeadFiles = None, keys: cli_audit.KeyFiles = None, excuse: cli_audit.Excused = None
) -> None:
    """Prove that no sealed record was changed, removed, inserted or moved; exit code 1 names the first that was.

    The exit code is also 1 when kept heads cannot be checked and are not excused, or when there are none.
    """
    _run(lambda settings: cli_audit.verify(settings, heads, keys, excuse))


@admin.command()
def reset_password(email: cli_admin.Email = None) -> None:
    """Give an admin a new password, print it, and end the admin's sessions."""
    _run(lambda settings: cli_admin.reset_password(settings, email))


Work = Callable[[Settings], Awaitable[None]]
Service = Callable[[Settings, asyncio.Event], Awaitable[None]]
"""Work that runs until the event is set."""


def _run_service(name: str, service: Service) -> None:
    """Runs a service until Ctrl-C or SIGTERM; name: that of the process in the log."""

    async def run(settings: Settings) -> None:
        await service(settings, _stop_signal())
        structlog.get_logger().info("stopped")

    _run(run, name)


def _log_start(**places: str | int) -> None:
    """Logs the start with the addresses that were chosen."""
    structlog.get_logger().info("started", pid=os.getpid(), **places)


async def _stopping(stop: asyncio.Event) -> None:
    """Waits for the signal to stop, and logs it."""
    await stop.wait()
    structlog.get_logger().info("draining")


def _run(work: Work, name: str = "command") -> None:
    settings = validation.read()
    version = metadata.version("medconnect")
    form = settings.log_format or ("json" if settings.production else "text")
    logs.configure(settings.log_level, form=form, process=name, version=version)
    core_dumps.forbid()
    if settings.production:
        core_dumps.close_memory()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # idle connections soon use up the usual 1,024
    asyncio.run(_as_coroutine(work, settings))


async def _as_coroutine(work: Work, settings: Settings) -> None:
    await work(settings)


def _on_database(work: Callable[[str], Awaitable[None]]) -> Work:
    """Returns work that runs on the database as its owner."""

    async def run(settings: Settings) -> None:
        if settings.owner_database is not None:
            await work(settings.owner_database)
            return
        async with instance.database(settings) as urls:
            await work(urls.owner)

    return run


def _development_only(work: Work) -> Work:
    async def run(settings: Settings) -> None:
        if settings.production:
            errors.print("medconnect: this command is refused in production", style="red")
            raise typer.Exit(EXIT_CONFIG)
        await work(settings)

    return run


def _stop_signal() -> asyncio.Event:
    """Returns an event that Ctrl-C and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _lame_duck(settings: Settings) -> float:
    return LAME_DUCK_SECONDS if settings.lame_duck_seconds is None else settings.lame_duck_seconds
