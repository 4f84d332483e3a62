"""Tests instances and commands that share one home, one port or one database."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from server.config.settings import Settings, read_settings
from server.runtime import server as app
from server.runtime.storage import schema


@pytest.fixture
def home() -> Iterator[Path]:
    """Returns a folder whose name is short enough for Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    """Returns the settings of an instance on a free port."""
    return read_settings(
        _env_file=None, medconnect_home=home, database_url=database_url, grpc_address="127.0.0.1:0", db_pool_size=2
    )


@pytest.fixture
async def core(settings: Settings, database_url: str) -> AsyncIterator[app.Core]:
    """Returns the files that an instance consists of."""
    async with app.core(settings, database_url) as parts:
        yield parts


async def test_a_second_server_does_not_take_the_socket_of_the_first(core: app.Core, home: Path) -> None:
    socket = home / "run" / "server-0.sock"
    async with app.serving(core, socket):
        before = socket.stat().st_ino
        with pytest.raises(OSError, match="another server"):
            async with app.serving(core, socket):
                pass
        assert socket.stat().st_ino == before


async def test_a_socket_that_a_killed_server_left_is_taken_over(core: app.Core, home: Path) -> None:
    socket = home / "run" / "server-0.sock"
    socket.parent.mkdir()
    socket.touch()
    async with app.serving(core, socket):
        assert socket.is_socket()


async def test_a_reset_beside_a_running_instance_ends_neither(core: app.Core, database_url: str) -> None:
    async with app.serving(core, address="127.0.0.1:0") as server, app.background_jobs(core):
        await schema.reset(database_url)
        await server.services.accounts.ensure_first_admin("first@example.org", "a-long-password-41")
        async with core.work.read() as tx:
            users = await tx.connection.scalar(text("SELECT count(*) FROM users"))
        assert users == 1
