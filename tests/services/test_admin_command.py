"""Tests what an operator reads: the greeting, and `medconnect admin reset-password`."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server import logs
from server.auth.password_hashing import Passwords
from server.cli import admin, commands, greeting
from server.config.settings import read_settings
from server.errors import InvalidCredentials
from server.identity import Role
from server.runtime.instance import Instance
from tests.fixtures.auth import PASSWORD, process

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)  # for the whole process


async def asked(url: str, home: Path, *arguments: str, **settings: str) -> Result:
    """Runs the command in a thread of its own, because it runs an event loop of its own."""
    given = {"DATABASE_URL": url, "MEDCONNECT_HOME": str(home), "JWT_SECRET": SECRET, "NO_COLOR": "1", **settings}
    command = ["admin", "reset-password", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, commands.commands, command, env=given)


async def test_reset_password_prints_a_new_one_that_signs_in(
    database_url: str, tmp_path: Path, passwords: Passwords
) -> None:
    async with process(database_url, passwords) as auth:
        first, second = [await auth.open(Role.ADMIN) for _ in range(2)]
        given = await asked(database_url, tmp_path, ADMIN_EMAIL=first.email)
        assert given.exit_code == 0, given.output
        address, _, password = given.stdout.splitlines()[-1].removeprefix("Sign in as ").split()
        assert address == first.email
        assert (await auth.sessions.login(first.email, password)).user.id == first.id
        with pytest.raises(InvalidCredentials):
            await auth.sessions.login(first.email, PASSWORD)
        assert (await auth.sessions.login(second.email, PASSWORD)).user.id == second.id


async def test_reset_password_refuses_who_is_no_admin(database_url: str, tmp_path: Path, passwords: Passwords) -> None:
    async with process(database_url, passwords) as auth:
        doctor = await auth.open(Role.DOCTOR)
        refused = await asked(database_url, tmp_path, doctor.email)
        assert isinstance(refused.exception, admin.NoAdmin)
        assert str(refused.exception) == f"{doctor.email} is not an active admin"
        await auth.sessions.login(doctor.email, PASSWORD)


def test_greeting_ends_with_the_generated_password(capsys: pytest.CaptureFixture[str]) -> None:
    running = Instance("127.0.0.1:1", None, "127.0.0.1:2", "http://127.0.0.1:2", "generated-7")
    greeting.greet(read_settings(), running)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Sign in as admin@medconnect.local with generated-7"
    assert "Open http://127.0.0.1:2 in a browser." in lines
