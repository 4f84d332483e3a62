"""S51: what `medconnect audit verify` says, and by which exit code."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server import cli, core, logs
from server.audit.sealing import Sealing
from server.audit.verification import verify
from server.auth.keys import KeyRing
from tests.fixtures.database import as_owner, committing_work
from tests.security.test_audit_chain import FILL, MANY, UNGUARDED

SECRET = "0123456789-abcdefghijklmnopqrstuvwxyz"
KEY = core.head_key(KeyRing.derived(SECRET))


async def asked(url: str, home: Path, *arguments: str) -> Result:
    """The command, in a thread of its own: it runs a loop of its own."""
    environment = {"DATABASE_URL": url, "MEDCONNECT_HOME": str(home), "JWT_SECRET": SECRET, "NO_COLOR": "1"}
    command = ["audit", "verify", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, cli.commands, command, env=environment)


async def test_s51_the_command_tells_what_it_found_by_its_exit_code(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda _: None)  # for the whole process
    empty = await asked(database_url, tmp_path)
    assert (empty.exit_code, empty.stdout.split()[0]) == (0, "0"), empty.output
    async with committing_work(database_url) as work:
        await as_owner(database_url, FILL.format(MANY))
        await Sealing(work, KEY).seal()
        await as_owner(database_url, FILL.format(2))
        signed = KEY.sign((await verify(work)).head)
    log, foreign = tmp_path / "worker.log", tmp_path / "foreign.log"
    head = {"event": "audit_head", "position": signed.position, "hash": signed.hash, "signature": signed.signature}
    log.write_text(f"{json.dumps({'event': 'call'})}\n{json.dumps(head)}\n")
    foreign.write_text(json.dumps({**head, "position": 1}))

    good = await asked(database_url, tmp_path, "--heads", str(log))
    uncompared = await asked(database_url, tmp_path, "--heads", str(foreign))
    await as_owner(database_url, *UNGUARDED, "DELETE FROM audit_seals WHERE position > 30")
    await as_owner(database_url, "DELETE FROM audit_records WHERE id NOT IN (SELECT record_id FROM audit_seals)")
    cut, found = await asked(database_url, tmp_path), await asked(database_url, tmp_path, "--heads", str(log))

    assert good.exit_code == 0, good.output
    assert f"{MANY} records are sealed and unchanged; compared with 1 kept heads." in good.stdout
    assert "2 records wait for their seal" in good.stdout
    assert (uncompared.exit_code, "nothing was compared" in uncompared.stderr) == (1, True), uncompared.output
    assert cut.exit_code == 0  # that the end is missing is only in the log
    assert (found.exit_code, "The chain breaks at position 31" in found.stderr) == (1, True), found.output
