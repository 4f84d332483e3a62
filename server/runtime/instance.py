"""Runs a whole instance: database, migrations, first admin, server, email worker, edge."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.config.settings import Settings, environment_of_child, socket_of
from server.db import logins
from server.db.embedded import cluster
from server.db.logins import DatabaseUrls
from server.edge import counts
from server.edge import process as edge
from server.edge.config import EdgeConfig
from server.edge.sites import PAGE_SITES, SITES
from server.runtime import processes
from server.runtime import server as app
from server.runtime.server import Core, Services
from server.runtime.storage import schema
from server.supervision import free_ports


@dataclass(frozen=True, slots=True)
class Instance:
    """The addresses of a running instance."""

    grpc_address: str
    direct_address: str | None
    """The address at which gRPC is served without the edge; None if there is none."""
    rest_address: str
    rest_url: str
    """The REST address with `http://` or `https://`."""
    new_admin_password: str | None
    """The first admin's generated password, if this start created the account."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The processes that serve gRPC: this process alone, or several others."""

    port: int
    """The TCP port of gRPC without the edge; 0 if there is none."""
    sockets: tuple[Path, ...]
    """The Unix sockets on which the processes listen for the edge."""
    new_admin_password: str | None
    """The same as in an Instance."""
    end_streams: Callable[[], None]
    """Ends open streams, which the edge would otherwise wait for."""


@asynccontextmanager
async def up(settings: Settings) -> AsyncIterator[Instance]:
    """Starts everything, and stops it when the block is left. Raises PortTaken before anything is started."""
    require_free_ports(settings, "REST_ADDRESS", "GRPC_ADDRESS", "GRPC_DIRECT_ADDRESS")
    async with database(settings) as urls:
        await schema.upgrade(urls.owner)
        async with (
            app.core(settings, urls.server, urls.sealer) as core,
            serving(core, urls, settings.grpc_direct_address) as servers,
            app.background_jobs(core),
            edge.running(edge_config(settings, servers.sockets)) as front,
            counts.followed(front.admin, core.metrics.edge_seen),
        ):
            direct = _direct_address(settings, servers.port)
            native, rest = (_written(place) for place in (front.grpc, front.address))
            try:
                yield Instance(native, direct, rest, front.url, servers.new_admin_password)
            finally:
                servers.end_streams()


@asynccontextmanager
async def serving(core: Core, urls: DatabaseUrls, address: str | None, lame_duck: float = 0) -> AsyncIterator[Serving]:
    """Serves gRPC with SERVER_PROCESSES processes; if that is 1, with this one. Creates the first admin.

    address: the `host:port` on which they listen in addition to their sockets, without the edge; None: no port.
    lame_duck: see `server.runtime.server.serving`.
    """
    settings = core.settings
    sockets = tuple(socket_of(settings, number) for number in range(settings.server_processes))
    if len(sockets) == 1:
        async with app.serving(core, sockets[0], address, lame_duck) as server:
            generated = await first_admin(settings, server.services)
            yield Serving(server.port, sockets, generated, server.end_streams)
        return
    with app.use_cases(core) as services:
        generated = await first_admin(settings, services)
    with ExitStack() as kept:
        shared = kept.enter_context(processes.reserved_port(address)) if address is not None else None
        environment = environment_of_child(
            DATABASE_URL=urls.server,
            SEALER_DATABASE_URL=urls.sealer,
            GRPC_DIRECT_ADDRESS=shared or "",
            LAME_DUCK_SECONDS=str(lame_duck),
        )
        own_metrics = metrics_address_of(settings, len(sockets))
        async with processes.running(len(sockets), environment) as end_streams, app.observed(core, own_metrics):
            yield Serving(int(shared.rpartition(":")[2]) if shared else 0, sockets, generated, end_streams)


@asynccontextmanager
async def serving_as(number: int, settings: Settings) -> AsyncIterator[Callable[[], None]]:
    """Runs the serving process with this number, from 0; yields a function that ends its streams."""
    own = settings.model_copy(update={"metrics_address": metrics_address_of(settings, number)})
    async with (
        app.core(own, settings.external_database or "", settings.sealer_database) as core,
        app.serving(
            core, socket_of(settings, number), settings.grpc_direct_address, settings.lame_duck_seconds or 0
        ) as server,
    ):
        yield server.end_streams


def require_free_ports(settings: Settings, *names: str) -> None:
    """Raises PortTaken if a port of these settings, or of the metrics, cannot be listened on."""
    given = {name: getattr(settings, name.lower()) for name in (*names, "METRICS_ADDRESS")}
    free_ports.require({name: address for name, address in given.items() if address is not None})


def metrics_address_of(settings: Settings, number: int) -> str | None:
    """Returns the address of that serving process's metrics; None if it serves none."""
    if settings.metrics_address is None:
        return None
    host, _, port = settings.metrics_address.rpartition(":")
    return f"{host}:{int(port) + number}"


async def first_admin(settings: Settings, services: Services) -> str | None:
    """Creates the first admin if there is none; returns the password if it was generated."""
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    return await services.accounts.ensure_first_admin(settings.admin_email, password)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """Yields the database's URLs: the operator's own, the embedded one of another process, or one run for this block.

    Raises the errors of `server.db.embedded.cluster.running`.
    """
    server = settings.external_database
    if server is not None:
        yield DatabaseUrls(server, settings.sealer_database or server, settings.owner_database or server)
        return
    home = settings.medconnect_home
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    note = home / "run" / "database_url"
    try:
        async with cluster.running(home / "postgres", backups=settings.backup_folder) as postgres:
            await logins.make(postgres.url())
            with _publish_url(note, postgres.url()):
                yield DatabaseUrls.embedded(postgres.url())
    except cluster.DatabaseInUse:
        if not note.exists():
            raise
        yield DatabaseUrls.embedded(note.read_text())


@contextmanager
def _publish_url(note: Path, url: str) -> Iterator[None]:
    """Writes the URL to a file in which this account's other commands find it, while the database runs."""
    note.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(url)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def edge_config(settings: Settings, sockets: tuple[Path, ...]) -> EdgeConfig:
    """Returns the edge's configuration from the settings; `sockets` are those of the serving processes."""
    host, _, port = settings.rest_address.rpartition(":")
    grpc_host, _, grpc_port = settings.grpc_address.rpartition(":")
    return EdgeConfig(
        home=settings.medconnect_home,
        server_sockets=sockets,
        host=host.strip("[]"),
        port=int(port),
        grpc_host=grpc_host.strip("[]"),
        grpc_port=int(grpc_port),
        cors_origins=settings.cors_origins,
        trusted_hops=settings.trusted_proxies,
        tls=settings.tls,
        browsers_use_tls=settings.browsers_use_tls,
        concurrency=settings.edge_workers or os.cpu_count() or 1,
        sites=SITES if settings.serves_api_docs else PAGE_SITES,
    )


def _direct_address(settings: Settings, port: int) -> str | None:
    """Returns GRPC_DIRECT_ADDRESS with the actual port in place of 0."""
    given = settings.grpc_direct_address
    return None if given is None else f"{given.rpartition(':')[0]}:{port}"


def _written(place: tuple[str, int]) -> str:
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
