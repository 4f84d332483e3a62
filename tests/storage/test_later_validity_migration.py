"""Tests the migration of later validities on a filled database, up and down."""

import re

from server.runtime.storage import schema
from tests.storage.test_migrations import A_PRESCRIPTION, A_RECORD, AN_ACCOUNT, FIRST, VERSIONS, fetch, run

[SOURCE] = (path for path in VERSIONS if path.name.endswith("_later_validity.py"))
REVISION = SOURCE.name[:4]
[BEFORE] = re.findall(r'down_revision = "(\d+)"', SOURCE.read_text())

STATE = "SELECT status, suspended_at IS NOT NULL FROM prescriptions"


async def test_former_are_valid_and_a_downgrade_suspends_later_ones(database_url: str) -> None:
    rows = (AN_ACCOUNT.format(user_id=FIRST, name="Ann"), A_RECORD, A_PRESCRIPTION)
    await schema.downgrade(database_url, BEFORE)
    await run(database_url, *(statement.format(user_id=FIRST) for statement in rows))
    await schema.upgrade(database_url, REVISION)
    assert await fetch(database_url, "SELECT valid_from, starts_at FROM prescriptions") == [(None, None)]
    await schema.downgrade(database_url, BEFORE)
    assert await fetch(database_url, STATE) == [("pending", False)]
    await schema.upgrade(database_url, REVISION)
    later = (
        "valid_from = CURRENT_DATE + 2, starts_at = now() + interval '1 day', expires_at = now() + interval '9 days'"
    )
    await run(database_url, f"UPDATE prescriptions SET {later}")  # noqa: S608 - a constant
    await schema.downgrade(database_url, BEFORE)
    assert await fetch(database_url, STATE) == [("pending", True)]
    await schema.upgrade(database_url)
    assert await fetch(database_url, STATE) == [("pending", True)]
