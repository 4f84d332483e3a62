"""Tests that the stored sessions of before a migration count as familiar."""

import re
from uuid import UUID

from server.auth.rules.origins import network_of
from server.runtime.storage import schema
from tests.storage.test_migrations import A_SESSION, AN_ACCOUNT, VERSIONS, fetch, run

[SOURCE] = (path for path in VERSIONS if path.name.endswith("_sign_in_origins.py"))
REVISION = SOURCE.name[:4]
[BEFORE] = re.findall(r'down_revision = "(\d+)"', SOURCE.read_text())
ADDRESSES = ("203.0.113.7", "203.0.113.9", "2001:db8:1:2::/64", "unknown", "")


async def test_origins_of_stored_sessions_are_familiar(database_url: str) -> None:
    await schema.downgrade(database_url, BEFORE)
    user_id = UUID(int=1)
    await run(database_url, AN_ACCOUNT.format(user_id=user_id, name="Ann"))
    for n, address in enumerate(ADDRESSES, 1):
        await run(database_url, A_SESSION.format(session_id=UUID(int=n), user_id=user_id))
        of_session = f"WHERE id = '{UUID(int=n)}'"
        await run(database_url, f"UPDATE sessions SET device = 'curl', address = '{address}' {of_session}")  # noqa: S608
    kept = await fetch(database_url, "SELECT id, address FROM sessions ORDER BY id")

    await schema.upgrade(database_url, REVISION)

    stored = await fetch(database_url, "SELECT DISTINCT user_id, device, network FROM sign_in_origins")
    assert set(stored) == {(user_id, "curl", network_of(address)) for address in ADDRESSES}
    assert await fetch(database_url, "SELECT count(*) FROM sign_in_origins WHERE used_at < now()") == [(len(stored),)]
    await schema.downgrade(database_url, BEFORE)
    assert await fetch(database_url, "SELECT id, address FROM sessions ORDER BY id") == kept
