"""Tests which records of before a migration counts as identified."""

import re
from typing import Final
from uuid import UUID

from server.runtime.storage import schema
from tests.storage.test_migrations import A_PRESCRIPTION, A_RECORD, AN_ACCOUNT, VERSIONS, fetch, run

[SOURCE] = (path for path in VERSIONS if path.name.endswith("_identified_patients.py"))
REVISION = SOURCE.name[:4]
[BEFORE] = re.findall(r'down_revision = "(\d+)"', SOURCE.read_text())

AUDITED: Final = """
    INSERT INTO audit_records (id, action, event, outcome, actor_role, patient_ids)
    VALUES (gen_random_uuid(), 'C', '{event}', 0, 'doctor', ARRAY['{user_id}'::uuid])
"""


async def test_only_records_that_staff_made_or_treated_are_identified(database_url: str) -> None:
    """1: registered; 2: made by staff; 3: treated; 4: made by staff before the audit; 5: registered, then detached."""
    await schema.downgrade(database_url, BEFORE)
    for n in range(1, 6):
        of_one = {"user_id": UUID(int=n), "name": "Ann"}
        await run(database_url, AN_ACCOUNT.format(**of_one), A_RECORD.format(**of_one).replace("PAT-1", f"PAT-{n}"))
    events = {1: "account_registered", 2: "patient_created", 5: "account_registered"}
    await run(database_url, *(AUDITED.format(event=event, user_id=UUID(int=n)) for n, event in events.items()))
    await run(database_url, A_PRESCRIPTION.format(user_id=UUID(int=3)))
    await run(database_url, "UPDATE patients SET user_id = NULL WHERE reference_number IN ('PAT-4', 'PAT-5')")
    kept = await fetch(database_url, "SELECT id, user_id, full_name, version FROM patients ORDER BY id")

    await schema.upgrade(database_url, REVISION)

    identified = (
        "SELECT id, identified_document, identified_by FROM patients WHERE identified_at IS NOT NULL ORDER BY id"
    )
    assert await fetch(database_url, identified) == [(UUID(int=n), "earlier_record", None) for n in (2, 3, 4)]
    await schema.downgrade(database_url, BEFORE)
    assert await fetch(database_url, "SELECT id, user_id, full_name, version FROM patients ORDER BY id") == kept
