"""The file that stores a session: readable by its owner only, and never half written."""

import asyncio
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from medconnect_client import Tokens
from medconnect_client.terminal.token_file import TokenFile, TokenFileExposed, default_path

TOKENS = Tokens("access", "refresh", datetime(2026, 12, 1, 10, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens.json"


def test_what_is_saved_is_loaded(path: Path) -> None:
    TokenFile(path).save(TOKENS)
    assert TokenFile(path).load() == TOKENS


def test_only_the_owner_reads_it_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        TokenFile(path).save(TOKENS)
        TokenFile(path).save(TOKENS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [found.name for found in path.parent.iterdir()] == ["tokens.json"]


def test_a_file_that_others_can_read_is_not_trusted(path: Path) -> None:
    TokenFile(path).save(TOKENS)
    path.chmod(0o640)
    with pytest.raises(TokenFileExposed):
        TokenFile(path).load()


@pytest.mark.parametrize("content", ["", "{}", "null", '{"accessToken": 1', "[]"])
def test_what_cannot_be_understood_is_no_session(path: Path, content: str) -> None:
    TokenFile(path).save(TOKENS)
    path.write_text(content)
    assert TokenFile(path).load() is None


def test_signing_out_removes_it(path: Path) -> None:
    file = TokenFile(path)
    file.save(TOKENS)
    file.save(None)
    file.save(None)
    assert file.load() is None
    assert not path.exists()


async def test_programs_that_share_it_take_turns(path: Path) -> None:
    holding: list[str] = []

    async def hold(name: str) -> None:
        async with TokenFile(path).exclusive():
            holding.append(name)
            assert holding == [name]
            await asyncio.sleep(0.05)
            holding.remove(name)

    await asyncio.gather(*(hold(str(number)) for number in range(4)))


def test_each_server_has_its_own(tmp_path: Path) -> None:
    names = {default_path(address, tmp_path).name for address in ("a:1", "a:2", "b:1", "unix:/run/x.sock")}
    assert len(names) == 4
    assert not any("/" in name for name in names)
