"""A whole instance from nothing: database, migrations, first admin, server, mail worker, edge."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from server import app, schema
from server.app import Services
from server.db import embedded
from server.edge import process as edge
from server.edge.config import EdgeConfig
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance."""

    grpc_address: str
    rest_address: str
    rest_url: str
    """Its address with `http://` or `https://` before it."""
    new_admin_password: str | None
    """The first admin's generated password, if this start made the account."""


@asynccontextmanager
async def up(settings: Settings) -> AsyncIterator[Instance]:
    """Start everything, and stop it all when the block is left."""
    async with database(settings) as url:
        await schema.upgrade(settings.owner_database or url)
        async with app.core(settings, url) as core:
            socket = settings.medconnect_home / "run" / "server-0.sock"
            async with (
                app.serving(core, socket) as server,
                app.sending(core),
                edge.running(_edge(settings, socket)) as rest,
            ):
                generated = await first_admin(settings, server.services)
                host, _, _ = settings.grpc_address.rpartition(":")
                yield Instance(f"{host}:{server.port}", "{}:{}".format(*rest.address), rest.url, generated)


async def first_admin(settings: Settings, services: Services) -> str | None:
    """Make the first admin if there is none; answers the password if it was generated."""
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    return await services.accounts.ensure_first_admin(settings.admin_email, password)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The URL of the database: the user's own, the embedded one that another process runs, or one run for this block.

    Raises what `server.db.embedded.running` raises.
    """
    if settings.external_database is not None:
        yield settings.external_database
        return
    home = settings.medconnect_home
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    note = home / "run" / "database_url"
    try:
        async with embedded.running(home / "postgres") as postgres:
            with _noted(note, postgres.url()):
                yield postgres.url()
    except embedded.DatabaseInUse:
        if not note.exists():
            raise
        yield note.read_text()


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


def _edge(settings: Settings, socket: Path) -> EdgeConfig:
    host, _, port = settings.rest_address.rpartition(":")
    return EdgeConfig(
        home=settings.medconnect_home,
        server_sockets=(socket,),
        host=host,
        port=int(port),
        cors_origins=settings.cors_origins,
        tls=settings.tls,
    )
