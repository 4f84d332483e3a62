"""A whole instance from nothing: database, migrations, first admin, server, mail worker, edge."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from server import app, processes, schema
from server.app import Core, Services
from server.db import embedded, logins
from server.db.logins import DatabaseUrls
from server.edge import process as edge
from server.edge.config import EdgeConfig
from server.edge.sites import PAGE_SITES, SITES
from server.settings import Settings, environment_of_child


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance."""

    grpc_address: str
    rest_address: str
    rest_url: str
    """Its address with `http://` or `https://` before it."""
    new_admin_password: str | None
    """The first admin's generated password, if this start made the account."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves gRPC, in this process or in several others."""

    port: int
    """Where gRPC listens on TCP."""
    sockets: tuple[Path, ...]
    """Where each process listens for the edge."""
    new_admin_password: str | None
    """As of an Instance."""
    end_streams: Callable[[], None]
    """Lets open streams end: the edge would wait for them."""


@asynccontextmanager
async def up(settings: Settings) -> AsyncIterator[Instance]:
    """Start everything, and stop it all when the block is left."""
    async with database(settings) as urls:
        await schema.upgrade(urls.owner)
        async with (
            app.core(settings, urls.server, urls.sealer) as core,
            serving(core, urls) as servers,
            app.sending(core),
            edge.running(edge_config(settings, servers.sockets)) as rest,
        ):
            host, _, _ = settings.grpc_address.rpartition(":")
            addresses = f"{host}:{servers.port}", "{}:{}".format(*rest.address)
            try:
                yield Instance(*addresses, rest.url, servers.new_admin_password)
            finally:
                servers.end_streams()


@asynccontextmanager
async def serving(core: Core, urls: DatabaseUrls) -> AsyncIterator[Serving]:
    """Serve gRPC by as many processes as the settings say; a single one is this one. Makes the first admin."""
    settings = core.settings
    sockets = tuple(socket_of(settings, number) for number in range(settings.server_processes))
    if len(sockets) == 1:
        async with app.serving(core, sockets[0]) as server:
            generated = await first_admin(settings, server.services)
            yield Serving(server.port, sockets, generated, server.end_streams)
        return
    with app.use_cases(core) as services:
        generated = await first_admin(settings, services)
    with processes.reserved_port(settings.grpc_address) as address:
        environment = environment_of_child(
            DATABASE_URL=urls.server, SEALER_DATABASE_URL=urls.sealer, GRPC_ADDRESS=address
        )
        async with processes.running(len(sockets), environment) as end_streams:
            yield Serving(int(address.rpartition(":")[2]), sockets, generated, end_streams)


@asynccontextmanager
async def serving_as(number: int, settings: Settings) -> AsyncIterator[Callable[[], None]]:
    """Be one of several serving processes: the one with this number, from 0; yields what ends its streams."""
    own = settings.model_copy(update={"metrics_address": metrics_address_of(settings, number)})
    async with (
        app.core(own, settings.external_database or "", settings.sealer_database) as core,
        app.serving(core, socket_of(settings, number)) as server,
    ):
        yield server.end_streams


def metrics_address_of(settings: Settings, number: int) -> str | None:
    """Where Prometheus reads that serving process; None for nowhere."""
    if settings.metrics_address is None:
        return None
    host, _, port = settings.metrics_address.rpartition(":")
    return f"{host}:{int(port) + number}"


def socket_of(settings: Settings, number: int) -> Path:
    """Where the edge reaches that serving process."""
    return settings.medconnect_home / "run" / f"server-{number}.sock"


async def first_admin(settings: Settings, services: Services) -> str | None:
    """Make the first admin if there is none; answers the password if it was generated."""
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    return await services.accounts.ensure_first_admin(settings.admin_email, password)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """The database: the user's own, the embedded one that another process runs, or one run for this block.

    Raises what `server.db.embedded.running` raises.
    """
    server = settings.external_database
    if server is not None:
        yield DatabaseUrls(server, settings.sealer_database or server, settings.owner_database or server)
        return
    home = settings.medconnect_home
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    note = home / "run" / "database_url"
    try:
        async with embedded.running(home / "postgres") as postgres:
            await logins.make(postgres.url())
            with _noted(note, postgres.url()):
                yield DatabaseUrls.embedded(postgres.url())
    except embedded.DatabaseInUse:
        if not note.exists():
            raise
        yield DatabaseUrls.embedded(note.read_text())


@contextmanager
def _noted(note: Path, url: str) -> Iterator[None]:
    """Leave the URL where this account's other commands find it, while the database runs."""
    note.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(url)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def edge_config(settings: Settings, sockets: tuple[Path, ...]) -> EdgeConfig:
    """Return what the edge is told by the settings; `sockets` are those of the serving processes."""
    host, _, port = settings.rest_address.rpartition(":")
    return EdgeConfig(
        home=settings.medconnect_home,
        server_sockets=sockets,
        host=host,
        port=int(port),
        cors_origins=settings.cors_origins,
        trusted_hops=settings.trusted_proxies,
        tls=settings.tls,
        browsers_use_tls=settings.browsers_use_tls,
        concurrency=settings.edge_workers or os.cpu_count() or 1,
        sites=SITES if settings.serves_api_docs else PAGE_SITES,
    )
