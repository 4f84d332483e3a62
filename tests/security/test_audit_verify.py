"""S51, S93: the output and the exit codes of `medconnect audit verify`."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server import base64url, logs
from server.audit import head_keys
from server.audit.hash_chain import HeadKey
from server.audit.head_sinks import head_sink
from server.audit.seal_worker import HeadKeeper, SealWorker
from server.cli import commands
from server.clock import Clock
from server.config.secrets import derived_key
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.proofs import control
from tests.security.test_audit_chain import FILL, MANY, UNGUARDED

SECRET = "0123456789-abcdefghijklmnopqrstuvwxyz"
CUT = (
    *UNGUARDED,
    "DELETE FROM audit_seals WHERE position > {0}",
    "DELETE FROM audit_records WHERE id NOT IN (SELECT record_id FROM audit_seals)",
)
REWRITE = (*UNGUARDED, "UPDATE audit_records SET event = 'account_read'", "DELETE FROM audit_seals")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)  # for the whole process


async def asked(url: str, home: Path, *arguments: str, secret: str = SECRET) -> Result:
    """Runs the command in a thread of its own, because it runs an event loop of its own."""
    environment = {"DATABASE_URL": url, "MEDCONNECT_HOME": str(home), "JWT_SECRET": secret, "NO_COLOR": "1"}
    command = ["audit", "verify", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, commands.commands, command, env=environment)


def a_sealer(work: UnitOfWork, home: Path) -> SealWorker:
    """Returns a sealer as an instance in that home creates it."""
    clock = Clock()
    return SealWorker(work, HeadKeeper(head_keys.current_key(home, clock.now()), head_sink(None, home), clock))


@control("S51")
async def test_the_command_tells_what_it_found_by_its_exit_code(database_url: str, tmp_path: Path) -> None:
    empty = await asked(database_url, tmp_path)
    assert (empty.exit_code, empty.stdout.split()[0]) == (0, "0"), empty.output
    async with committing_work(database_url, owner=True) as work:
        await as_owner(database_url, FILL.format(MANY))
        await a_sealer(work, tmp_path).seal()
    await as_owner(database_url, FILL.format(2))
    good = await asked(database_url, tmp_path)
    await as_owner(database_url, *(statement.format(30) for statement in CUT))
    cut = await asked(database_url, tmp_path)
    (tmp_path / "audit" / "heads.log").unlink()
    without = await asked(database_url, tmp_path)

    assert good.exit_code == 0, good.output
    assert f"{MANY} records are sealed and unchanged; compared with 1 kept heads." in good.stdout
    assert "2 records wait for their seal" in good.stdout
    assert (cut.exit_code, "The chain breaks at position 31" in cut.stderr) == (1, True), cut.output
    assert (without.exit_code, "nothing was compared" in without.stderr) == (1, True), without.output


@control("S93")
async def test_five_records_cut_right_after_a_head_are_missed(database_url: str, tmp_path: Path) -> None:
    """With one head per minute, a minute's records could be cut unnoticed: now each batch has its own head."""
    async with committing_work(database_url, owner=True) as work:
        sealer = a_sealer(work, tmp_path)
        await as_owner(database_url, FILL.format(MANY))
        await sealer.seal()
        await as_owner(database_url, FILL.format(5))
        await sealer.seal()
    whole = await asked(database_url, tmp_path)
    await as_owner(database_url, *(statement.format(MANY) for statement in CUT))
    cut = await asked(database_url, tmp_path)
    assert (whole.exit_code, f"{MANY + 5} records are sealed" in whole.stdout) == (0, True), whole.output
    assert "0 of them follow the last kept head" in whole.stdout
    assert cut.exit_code == 1
    assert f"The chain breaks at position {MANY + 1}" in cut.stderr
    assert f"the kept heads saw {MANY + 5} records" in cut.stderr


@control("S93")
async def test_a_changed_root_leaves_all_heads_checked(database_url: str, tmp_path: Path) -> None:
    async with committing_work(database_url, owner=True) as work:
        sealer = a_sealer(work, tmp_path)
        for _ in range(17):
            await as_owner(database_url, FILL.format(1))
            await sealer.seal()
        other_root = "another-root-of-this-instance-abcdefghijk"
        same = await asked(database_url, tmp_path, secret=other_root)
        await as_owner(database_url, *REWRITE)
        await a_sealer(work, tmp_path).seal()
        rewritten = await asked(database_url, tmp_path, secret=other_root)
    assert (same.exit_code, "compared with 17 kept heads" in same.stdout) == (0, True), same.output
    assert (rewritten.exit_code, "The chain breaks at position 1," in rewritten.stderr) == (1, True), rewritten.output


@control("S93")
async def test_heads_without_key_fail_unless_excused(database_url: str, tmp_path: Path) -> None:
    now, kept = Clock().now(), tmp_path / "audit" / "heads.log"
    async with committing_work(database_url, owner=True) as work:
        for _ in range(3):
            await as_owner(database_url, FILL.format(1))
            await a_sealer(work, tmp_path).seal()
        old = head_keys.current_key(tmp_path, now)
        known = tmp_path / "copy.pub"
        known.write_text(head_keys.public_file(tmp_path).read_text())
        new = head_keys.replace_key(tmp_path, now)
        await as_owner(database_url, FILL.format(1))
        await a_sealer(work, tmp_path).seal()
    both = await asked(database_url, tmp_path)
    only_old = await asked(database_url, tmp_path, "--keys", str(known))
    excused = await asked(database_url, tmp_path, "--keys", str(known), "--excuse", new.key_id)
    wrong = await asked(database_url, tmp_path, "--keys", str(known), "--excuse", old.key_id)
    head_keys.public_file(tmp_path).unlink()
    none = await asked(database_url, tmp_path)
    with kept.open("a") as file:
        file.write('{"event": "audit_head", "posi')  # as after a power failure
    known.write_text(known.read_text() + f"{new.key_id} {base64url.encode(new.public.public_bytes_raw())} now\n")
    torn = await asked(database_url, tmp_path, "--keys", str(known))

    assert (both.exit_code, "compared with 4 kept heads" in both.stdout) == (0, True), both.output
    assert (only_old.exit_code, f"1 heads cannot be checked: key {new.key_id}" in only_old.stderr) == (1, True)
    assert (excused.exit_code, f"1 heads of key {new.key_id} were not checked" in excused.stdout) == (0, True)
    assert wrong.exit_code == 1
    assert (none.exit_code, "nothing was compared" in none.stderr) == (1, True), none.output
    assert (torn.exit_code, "1 heads cannot be checked: key damaged" in torn.stderr) == (1, True), torn.output


@control("S93")
async def test_heads_of_before_heads_had_a_key_are_checked(database_url: str, tmp_path: Path) -> None:
    """Older logs name heads without the id of a key, which was derived from the root."""
    legacy = HeadKey(derived_key(SECRET, "audit heads"))
    async with committing_work(database_url, owner=True) as work:
        await as_owner(database_url, FILL.format(MANY))
        sealer = a_sealer(work, tmp_path)
        await sealer.seal()
        assert sealer.end is not None
        signed = legacy.sign(sealer.end)
    log = tmp_path / "worker.log"
    head = f'"position": {signed.position}, "hash": "{signed.hash}", "signature": "{signed.signature}"'
    log.write_text(f'{{"event": "call"}}\nhost: {{"event": "audit_head", {head}}}\n')
    before = await asked(database_url, tmp_path, "--heads", str(log))
    head_keys.publish(tmp_path, legacy, Clock().now())
    after = await asked(database_url, tmp_path, "--heads", str(log))
    assert (before.exit_code, "1 heads cannot be checked: key unnamed" in before.stderr) == (1, True), before.output
    assert (after.exit_code, "compared with 1 kept heads" in after.stdout) == (0, True), after.output
