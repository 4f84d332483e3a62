"""The keys of access tokens rotate: a new key ends no session, a retired one is refused."""

import asyncio
import json
import stat
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth

from server.auth.tokens import key_file
from server.auth.tokens.access_tokens import AccessTokens
from server.auth.tokens.key_file import KeyFileWrong
from server.auth.tokens.keys import KeyNotUsable, KeyRing, KeyState
from server.cli import commands
from server.clock import Clock
from tests.fixtures.clock import FAR, SettableClock
from tests.fixtures.pace import within
from tests.fixtures.processes import Process, processes
from tests.fixtures.proofs import control
from tests.fixtures.tokens import CALLER, DOCTOR, NOW, RING, SESSION, header_of, refused, with_header

ROOT = "the root of a ring, of 32 bytes or more"
MINUTE = timedelta(minutes=1)
LIFE = timedelta(minutes=15)


@pytest.fixture
def time_() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing.new(ROOT, NOW - MINUTE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Returns a ring that is old enough to be rotated."""
    path = tmp_path / "keys.json"
    key_file.create(path, KeyRing.new(ROOT, Clock().now() - MINUTE))
    return path


def states(ring: KeyRing) -> list[KeyState]:
    return [key.state for key in ring.keys]


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Runs `medconnect …`; returns its exit code."""
    monkeypatch.setattr("sys.argv", ["medconnect", *words])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    return int(ended.value.code or 0)


@control("S21")
def test_rotation_keeps_tokens_and_signs_with_published_key(ring: KeyRing, time_: SettableClock) -> None:
    tokens = AccessTokens(ring, time_.clock, LIFE)
    following = ring.keys[0]
    assert [key.key_id for key in tokens.published_keys()] == [following.key_id, ring.active.key_id]
    former, _ = tokens.issue(DOCTOR, SESSION, FAR)
    rotated = ring.rotated(NOW)
    tokens.use(rotated)
    assert states(rotated) == [KeyState.NEXT, KeyState.ACTIVE, KeyState.VERIFY_ONLY]
    assert header_of(tokens.issue(DOCTOR, SESSION, FAR)[0])["kid"] == following.key_id
    assert tokens.verify(former) == CALLER
    assert len(tokens.published_keys()) == 3


@control("S21")
def test_process_with_the_old_ring_accepts_new_tokens(ring: KeyRing, time_: SettableClock) -> None:
    token, _ = AccessTokens(ring.rotated(NOW), time_.clock, LIFE).issue(DOCTOR, SESSION, FAR)
    assert AccessTokens(ring, time_.clock, LIFE).verify(token) == CALLER


@control("S21")
@pytest.mark.parametrize("seen_before", [False, True])
def test_former_key_verifies_until_its_last_token_expires(
    ring: KeyRing, time_: SettableClock, seen_before: bool
) -> None:
    longest = timedelta(hours=1)
    tokens = AccessTokens(ring, time_.clock, longest)
    last, _ = tokens.issue(DOCTOR, SESSION, FAR)
    tokens.use(ring.rotated(NOW))
    time_.forward(minutes=59)
    if seen_before:
        assert tokens.verify(last) == CALLER
    stolen = AccessTokens(ring, time_.clock, longest).issue(DOCTOR, SESSION, FAR)[0]
    assert tokens.verify(stolen) == CALLER
    time_.forward(minutes=1, seconds=29)
    assert tokens.verify(last) == tokens.verify(stolen) == CALLER
    time_.forward(seconds=1)
    assert refused(tokens, last)
    time_.forward(seconds=9)
    assert tokens.verify(stolen) == CALLER
    time_.forward(seconds=1)
    assert refused(tokens, stolen)
    assert len(tokens.published_keys()) == 2


@control("S21")
def test_retired_key_is_refused_like_an_unknown_one(ring: KeyRing, time_: SettableClock) -> None:
    tokens = AccessTokens(ring, time_.clock, LIFE)
    former = ring.active
    token, _ = tokens.issue(DOCTOR, SESSION, FAR)
    assert tokens.verify(token) == CALLER
    tokens.use(ring.rotated(NOW).without(former.key_id, NOW))
    assert refused(tokens, token)
    assert former.key_id not in {key.key_id for key in tokens.published_keys()}


@control("S21")
@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' or 1=1--", "k" * 10_000, "unknown", "", None], ids=lambda kid: repr(kid)[:16]
)
def test_a_kid_that_is_no_key_of_ours_is_refused_at_once(time_: SettableClock, kid: str | None) -> None:
    tokens = AccessTokens(RING, time_.clock, LIFE)
    token, _ = tokens.issue(DOCTOR, SESSION, FAR)
    header = {name: value for name, value in (header_of(token) | {"kid": kid}).items() if value is not None}
    forged = with_header(token, header)
    began = time.perf_counter()
    assert refused(tokens, forged)
    assert time.perf_counter() - began < within(0.02)


def test_only_a_key_that_everybody_knows_may_sign(ring: KeyRing) -> None:
    with pytest.raises(KeyNotUsable, match="younger"):
        ring.rotated(NOW).rotated(NOW + timedelta(seconds=9))
    assert states(ring.rotated(NOW).rotated(NOW + timedelta(seconds=10))).count(KeyState.VERIFY_ONLY) == 2


def test_signing_key_stays_and_stolen_next_key_is_replaced(ring: KeyRing) -> None:
    for key_id in (ring.active.key_id, "unknown"):
        with pytest.raises(KeyNotUsable):
            ring.without(key_id, NOW)
    changed = ring.without(ring.keys[0].key_id, NOW)
    assert states(changed) == [KeyState.NEXT, KeyState.RETIRED, KeyState.ACTIVE]


def test_a_ring_made_of_a_secret_goes_on_with_its_key(ring: KeyRing) -> None:
    assert ring.active.key_id == KeyRing.derived(ROOT).active.key_id
    assert ring.root == ROOT


def test_key_file_is_private_and_holds_no_retired_key(file: Path) -> None:
    before = key_file.read(file)
    now = Clock().now()
    ring = key_file.change(file, lambda ring: ring.rotated(now))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    read = key_file.read(file)
    assert states(read) == states(ring)
    assert (read.root, read.active.key_id) == (ROOT, before.keys[0].key_id)
    records = {record["state"]: record for record in json.loads(file.read_text())["keys"]}
    assert "private" in records["active"]
    assert "private" not in records["verify-only"]


def test_a_file_that_cannot_be_written_stays_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_text()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        key_file.change(file, lambda ring: ring.rotated(Clock().now()))
    assert file.read_text() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_use_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(KeyFileWrong, match="0600"):
        key_file.read(file)


def damaged(name: str, **changes: object) -> str:
    """Returns the example file with other values in its active key, or in the file if the name is empty."""
    now = Clock().now()
    key = KeyRing.derived(ROOT).active
    record: dict[str, object] = {
        "kid": key.key_id,
        "state": "active",
        "public": key.published().x,
        "private": "A" * 43,
        "changed_at": now.isoformat(),
    }
    content: dict[str, object] = {"root": ROOT, "keys": [record]}
    (record if name else content).update(changes)
    return json.dumps(content)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        damaged("", root="short"),
        damaged("", keys=[]),
        damaged("private"),  # it belongs to another public key
        damaged("private", private="A"),
        damaged("private", private=None),
        damaged("state", state="verify-only", private=None),
        damaged("state", state="active-ish"),
        damaged("more", more=1),
    ],
)
def test_a_file_that_holds_no_ring_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(KeyFileWrong) as refusal:
        key_file.read(path)
    assert str(refusal.value) == "the key file contains no key ring, or one without an active key"


def test_the_commands_make_show_and_change_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys.json"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_SECRET", ROOT)
    assert command(monkeypatch, "keys", "init", str(path)) == 0
    monkeypatch.delenv("JWT_SECRET")
    monkeypatch.setenv("JWT_KEYS_FILE", str(path))
    assert command(monkeypatch, "keys", "init") == 1
    assert command(monkeypatch, "keys", "rotate") == 1  # the next key is too new
    former = key_file.read(path).active.key_id
    assert former == KeyRing.derived(ROOT).active.key_id
    age(path)
    assert command(monkeypatch, "keys", "rotate") == 0
    assert command(monkeypatch, "keys", "retire", "-unknown") == 1
    assert "there is no such key" in capsys.readouterr().err
    assert command(monkeypatch, "keys", "retire", former) == 0
    capsys.readouterr()
    assert command(monkeypatch, "keys", "list") == 0
    shown = capsys.readouterr().out
    assert [line.split()[1] for line in shown.splitlines()] == ["next", "active", "retired"]
    assert ROOT not in shown


def test_a_secret_of_32_bytes_in_fewer_characters_becomes_a_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "корень для колец"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_SECRET", secret)
    assert (len(secret), len(secret.encode())) == (16, 30)
    assert command(monkeypatch, "keys", "init", "keys.json") == 78
    monkeypatch.setenv("JWT_SECRET", secret + "…")
    assert command(monkeypatch, "keys", "init", "keys.json") == 0
    assert key_file.read(Path("keys.json")).root == secret + "…"
    assert secret not in "".join(capsys.readouterr())


def test_a_ring_behind_a_link_is_replaced_where_it_lies(file: Path) -> None:
    link = file.parent / "elsewhere" / "link.json"
    link.parent.mkdir()
    link.symlink_to(file)
    ring = key_file.change(link, lambda ring: ring.rotated(Clock().now()))
    assert link.is_symlink()
    assert key_file.read(file).active.key_id == ring.active.key_id
    assert [path.name for path in link.parent.iterdir()] == ["link.json"]


def age(path: Path) -> None:
    """Makes the file's keys a minute older."""
    file = json.loads(path.read_text())
    for record in file["keys"]:
        record["changed_at"] = (Clock().now() - MINUTE).isoformat()
    path.write_text(json.dumps(file))


async def soon(ask: Callable[[], Awaitable[str]], expected: str) -> None:
    """Polls until the result is as expected: within the poll's second and half a second."""
    async with asyncio.timeout(within(1.5)):
        while await ask() != expected:
            await asyncio.sleep(0.05)


@control("S21")
async def test_running_processes_follow_the_file(
    database_url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_KEYS_FILE", str(file))
    async with processes(database_url, 2, jwt_keys_file=file) as both:
        one, another = both
        signed_in = await one.sign_in()
        former = header_of(signed_in.access_token)["kid"]
        following = key_file.read(file).keys[0].key_id

        assert await asyncio.to_thread(command, monkeypatch, "keys", "rotate") == 0
        for process in both:
            await soon(partial(kid_of_a_new_token, process), following)
            assert await process.outcome(signed_in.access_token) == "OK"
            published = await process.auth.GetKeySet(auth.GetKeySetRequest())
            assert {former, following} < {key.kid for key in published.keys}
        renewed = await another.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=signed_in.refresh_token))
        assert await one.outcome(renewed.access_token) == "OK"

        assert await asyncio.to_thread(command, monkeypatch, "keys", "retire", former) == 0
        garbage = await one.outcome("no token at all")
        for process in both:
            await soon(partial(process.outcome, signed_in.access_token), garbage)
            assert await process.outcome(renewed.access_token) == "OK"
        await soon(partial(recorded_changes, database_url), "4")  # S48: two changes, adopted by two processes


@control("S21")
async def test_damaged_file_or_missing_record_keeps_following(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "POLL_SECONDS", 0.02)
    used: list[str] = []
    first = file.read_text()

    async def follows_to(key_id: str) -> None:
        async with asyncio.timeout(within(2)):
            while used[-1:] != [key_id]:
                await asyncio.sleep(0.01)

    async def unrecorded() -> None:
        raise RuntimeError

    async with key_file.followed(file, lambda ring: used.append(ring.active.key_id), unrecorded):
        await follows_to(key_file.read(file).active.key_id)
        for _ in range(2):
            rotated = key_file.change(file, lambda ring: ring.rotated(ring.keys[0].changed_at + MINUTE))
            await follows_to(rotated.active.key_id)
        file.write_text("{}")
        await asyncio.sleep(0.1)
        file.write_text(first)
        await follows_to(KeyRing.derived(ROOT).active.key_id)


async def recorded_changes(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT count(*) FROM audit_records WHERE event = 'keys_changed'"))
    finally:
        await connection.close()


async def kid_of_a_new_token(process: Process) -> str:
    return str(header_of(process.services.access_tokens.issue(DOCTOR, SESSION, FAR)[0])["kid"])
