"""S93: the root secret can be replaced: earlier signatures stay valid, and all sessions continue."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.auth.tokens import key_file
from server.auth.tokens.access_tokens import AccessTokens
from server.auth.tokens.keys import KeyRing, KeyState
from server.cli import commands
from server.config.secrets import derived_key
from server.db.identifiers import new_id
from server.errors import PageTokenInvalid, Unauthenticated
from server.identity import Role
from server.pagination import PageTokens
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.users import a_user

OLD, NEW = "the root of last year, 32 bytes..", "the root of this year, 32 bytes.."
LIFETIME = timedelta(minutes=15)


def page_tokens(ring: KeyRing) -> PageTokens:
    """Returns page tokens as the composition root creates them."""
    return PageTokens(*(derived_key(root, "page tokens") for root in (ring.root, *ring.former_roots)))


@control("S93")
def test_tokens_of_former_secret_stay_valid_while_set(clock: SettableClock) -> None:
    before, during, after = KeyRing.derived(OLD), KeyRing.derived(NEW, OLD), KeyRing.derived(NEW)
    user, session = a_user(Role.DOCTOR), new_id()
    token, _ = AccessTokens(before, clock.clock, LIFETIME).issue(user, session, clock.clock.now() + timedelta(hours=1))
    page = page_tokens(before).issue((1,), "scope")
    rotated = AccessTokens(during, clock.clock, LIFETIME)
    assert rotated.verify(token).user_id == user.id
    assert page_tokens(during).read(page, "scope") == (1,)
    assert [key.state for key in during.keys] == [KeyState.ACTIVE, KeyState.VERIFY_ONLY]
    assert during.keys[1].private is None
    assert during.active.key_id == after.active.key_id
    assert len(rotated.published_keys()) == 2
    with pytest.raises(Unauthenticated):
        AccessTokens(after, clock.clock, LIFETIME).verify(token)
    with pytest.raises(PageTokenInvalid):
        page_tokens(after).read(page, "scope")
    with pytest.raises(PageTokenInvalid):  # the new key signs new tokens
        page_tokens(before).read(page_tokens(during).issue((1,), "scope"), "scope")


@control("S93")
def test_key_file_under_new_root_keeps_its_signing_keys(
    tmp_path: Path, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    key_file.create(path, KeyRing.new(OLD, clock.clock.now()))
    before = key_file.read(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_KEYS_FILE", str(path))
    for _ in range(2):
        page = page_tokens(key_file.read(path)).issue((1,), "scope")
        assert CliRunner().invoke(commands.commands, ["keys", "rotate-root"]).exit_code == 0
        assert page_tokens(key_file.read(path)).read(page, "scope") == (1,)
    after = key_file.read(path)
    assert after.active.key_id == before.active.key_id
    assert after.root != before.root
    assert OLD not in after.former_roots  # only the last of the former ones is kept
    assert path.stat().st_mode & 0o777 == 0o600


@control("S93")
def test_replaced_heads_key_keeps_its_public_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDCONNECT_HOME", str(tmp_path))
    run = CliRunner().invoke
    assert [run(commands.commands, ["keys", "rotate-head"]).exit_code for _ in range(2)] == [0, 0]
    shown = run(commands.commands, ["keys", "heads"]).output.split("\n")
    assert len(shown) == 4
    assert len({line.split()[0] for line in shown if line}) == 3
