"""S93, S95: where heads are kept, and how a failure to keep them is handled."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.audit.hash_chain import Head
from server.audit.head_keys import HeadKeysWrong, current_key, public_file, read_public, replace_key
from server.audit.head_sinks import FileSink, SyslogSink, head_sink
from server.audit.heads import read_heads
from server.audit.seal_worker import ChainCut, HeadKeeper, SealWorker
from server.clock import Clock
from server.config.settings import ConfigurationWrong, read_settings
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.proofs import control
from tests.security.test_audit_chain import FILL, KEY, UNGUARDED, Kept, a_sealer

HEAD = Head(7, b"h" * 32)
KEYS = {KEY.key_id: KEY.public}


@pytest.fixture
async def work(database_url: str) -> AsyncIterator[UnitOfWork]:
    async with committing_work(database_url, owner=True) as work:
        yield work


class Broken(Kept):
    """A sink that fails for a while."""

    full = True

    async def write(self, line: str) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        await super().write(line)


@control("S93")
async def test_every_batch_leaves_one_head_and_an_idle_round_none(work: UnitOfWork, database_url: str) -> None:
    sink = Kept()
    sealer = a_sealer(work, sink)
    for count in (3, 0, 0, 2001, 0, 1):
        if count:
            await as_owner(database_url, FILL.format(count))
        await sealer.seal()
    positions = [json.loads(line)["position"] for line in sink]
    assert positions == [3, 1003, 2003, 2004, 2005]
    assert [head.position for head in read_heads(sink, KEYS).heads] == positions


@control("S93")
async def test_a_new_process_keeps_the_head_that_it_finds(work: UnitOfWork, database_url: str) -> None:
    """The former process may have been killed between the commit and its head."""
    await as_owner(database_url, FILL.format(3))
    await a_sealer(work, Broken()).seal()
    sink = Kept()
    await a_sealer(work, sink).seal()
    assert [json.loads(line)["position"] for line in sink] == [3]


@control("S93")
async def test_sealer_detects_cut_and_rewritten_chain_at_once(work: UnitOfWork, database_url: str) -> None:
    sealer = a_sealer(work)
    await as_owner(database_url, FILL.format(9))
    await sealer.seal()
    await as_owner(database_url, *UNGUARDED, "DELETE FROM audit_seals WHERE position > 4")
    with pytest.raises(ChainCut):
        await sealer.seal()


@control("S95")
async def test_head_not_kept_is_kept_as_soon_as_possible(work: UnitOfWork, database_url: str) -> None:
    sink, failures, kept = Broken(), [0], [0]

    async def note() -> None:
        kept[0] += 1

    def fail() -> None:
        failures[0] += 1

    sealer = SealWorker(work, HeadKeeper(KEY, sink, Clock()), kept=note, failed=fail)
    await as_owner(database_url, FILL.format(3))
    async with sealer.running():
        await _until(lambda: failures[0] > 1)
        assert kept == [0]
        sink.full = False
        await _until(lambda: kept[0] > 0)
    assert [json.loads(line)["position"] for line in sink] == [3]


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():
            await asyncio.sleep(0.05)


@control("S93")
async def test_a_file_is_only_added_to_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "heads.log"
    keeper = HeadKeeper(KEY, FileSink(path), Clock())
    await keeper.keep(HEAD)
    first = path.read_text()
    await keeper.keep(Head(8, b"i" * 32))
    assert path.read_text().startswith(first)
    assert [head.position for head in read_heads(path.read_text().splitlines(), KEYS).heads] == [7, 8]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(tmp_path / "archived")
    await keeper.keep(HEAD)
    assert read_heads(path.read_text().splitlines(), KEYS).heads == [HEAD]


@control("S93")
async def test_no_link_stands_in_for_the_file(tmp_path: Path) -> None:
    (tmp_path / "heads.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        await HeadKeeper(KEY, FileSink(tmp_path / "heads.log"), Clock()).keep(HEAD)


@control("S93")
async def test_a_syslog_daemon_gets_heads_by_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        sink = head_sink(f"syslog:{tmp_path}/log", tmp_path)
        assert isinstance(sink, SyslogSink)
        await HeadKeeper(KEY, sink, Clock()).keep(HEAD)
        message = daemon.recv(4096).decode()
    assert message.startswith("<109>medconnect: {")
    assert read_heads([message], KEYS).heads == [HEAD]
    with pytest.raises(OSError, match="refused"):
        await HeadKeeper(KEY, sink, Clock()).keep(HEAD)


@control("S93")
async def test_a_syslog_daemon_gets_heads_by_tcp(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as daemon:
        port = daemon.getsockname()[1]
        await HeadKeeper(KEY, head_sink(f"syslog:127.0.0.1:{port}", tmp_path), Clock()).keep(HEAD)
        connection, _ = await asyncio.to_thread(daemon.accept)
        with connection:
            message = connection.recv(4096).decode()
    assert message.endswith("\n")
    assert read_heads([message], KEYS).heads == [HEAD]


@control("S93")
def test_the_key_stays_and_public_keys_outlive_it(tmp_path: Path) -> None:
    now = Clock().now()
    first = current_key(tmp_path, now)
    assert current_key(tmp_path, now).key_id == first.key_id
    second = replace_key(tmp_path, now)
    assert current_key(tmp_path, now).key_id == second.key_id != first.key_id
    assert list(read_public(public_file(tmp_path))) == [first.key_id, second.key_id]
    assert stat.S_IMODE((tmp_path / "audit" / "head_key").stat().st_mode) == 0o600


@control("S93")
@pytest.mark.parametrize("line", ["nonsense", "AAAAAAAAAAA AAAA now", f"AAAAAAAAAAA {'A' * 43} now"])
def test_a_file_of_public_keys_is_read_strictly(tmp_path: Path, line: str) -> None:
    (tmp_path / "keys").write_text(f"{line}\n")
    with pytest.raises(HeadKeysWrong, match="line 1"):
        read_public(tmp_path / "keys")


@pytest.mark.parametrize("setting", ["heads.log", "file:", "syslog:", "syslog:host", "udp:host:514"])
def test_a_sink_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationWrong, match="AUDIT_HEADS"):
        read_settings(_env_file=None, audit_heads=setting)
