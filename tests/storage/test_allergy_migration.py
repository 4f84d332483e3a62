"""Tests that the migration of allergies makes empty lists not recorded, and that it can be undone."""

import re
from typing import Final
from uuid import UUID

from server.runtime.storage import schema
from tests.storage.test_migrations import A_RECORD, AN_ACCOUNT, VERSIONS, fetch, run

[SOURCE] = (path for path in VERSIONS if path.name.endswith("_allergy_status.py"))
REVISION: Final = SOURCE.name[:4]
[BEFORE] = re.findall(r'down_revision = "(\d+)"', SOURCE.read_text())

ASKED: Final = """
    UPDATE patients SET no_allergies_at = now(), no_allergies_by = user_id WHERE allergies = '{}'
"""


async def test_empty_lists_of_before_become_not_recorded(database_url: str) -> None:
    await schema.downgrade(database_url, BEFORE)
    for n in (1, 2):
        of_one = {"user_id": UUID(int=n), "name": "Ann"}
        await run(database_url, AN_ACCOUNT.format(**of_one), A_RECORD.format(**of_one).replace("PAT-1", f"PAT-{n}"))
    await run(database_url, "UPDATE patients SET allergies = '{Nuts}' WHERE reference_number = 'PAT-2'")
    kept = "SELECT reference_number, allergies, version FROM patients ORDER BY reference_number"
    before = await fetch(database_url, kept)

    await schema.upgrade(database_url, REVISION)

    assert await fetch(database_url, kept) == before
    states = "SELECT no_allergies_at, no_allergies_by FROM patients UNION SELECT NULL, NULL FROM record_versions"
    assert await fetch(database_url, states) == [(None, None)]
    assert await fetch(database_url, "SELECT DISTINCT no_known_allergies FROM record_versions") == [(False,)]
    await run(database_url, ASKED)
    assert (["allergy_status"],) in await fetch(database_url, "SELECT changed_fields FROM record_versions")

    await schema.downgrade(database_url, BEFORE)
    await run(database_url, "UPDATE patients SET allergies = '{Latex}' WHERE reference_number = 'PAT-1'")
    assert await fetch(database_url, "SELECT count(*) FROM record_versions") == [(3,)]
    await schema.upgrade(database_url)
