"""Tests the migrations of dispensing on filled databases, up and down."""

from typing import Final

from server.runtime.storage import schema
from tests.storage.test_migrations import A_PRESCRIPTION, A_RECORD, AN_ACCOUNT, FIRST, fetch, run

A_DISPENSE: Final = (
    """INSERT INTO prescription_items (id, prescription_id, position, medicine_name, dosage, frequency, quantity)
    VALUES ('{user_id}', '{user_id}', 1, 'A', '1', 'daily', 20)""",
    """INSERT INTO pharmacy_log (id, prescription_id, pharmacist_id, action, from_status, to_status)
    VALUES ('{user_id}', '{user_id}', '{user_id}', 'dispense', 'validated', 'partially_dispensed')""",
)
A_BATCH: Final = """
    INSERT INTO dispensed_lines (id, log_id, item_id, dispensed_before, quantity, unit_price, currency, batch_number,
        expiry_date)
    VALUES (gen_random_uuid(), '{user_id}', '{user_id}', {before}, 5, 1, 'EUR', 'B-{before}', '2099-12-31')
"""

A_SUBSTITUTE: Final = """
    UPDATE dispensed_lines SET dispensed_medicine_name = 'Generic A', substitution_reason = 'Not in stock.'
    WHERE dispensed_before = 5
"""
A_CLOSING: Final = """
    INSERT INTO pharmacy_log (id, prescription_id, pharmacist_id, action, from_status, to_status)
    VALUES ('{user_id}', '{user_id}', '{user_id}', 'close', 'partially_dispensed', 'closed')
"""


async def test_batches_of_one_dispense_become_dispenses_and_stay(database_url: str) -> None:
    await schema.downgrade(database_url, "0037")
    rows = (AN_ACCOUNT.format(user_id=FIRST, name="Ann"), A_RECORD, A_PRESCRIPTION, *A_DISPENSE)
    await run(database_url, *(statement.format(user_id=FIRST) for statement in rows))
    await run(database_url, A_BATCH.format(user_id=FIRST, before=0))
    await schema.upgrade(database_url, "0039")
    await run(database_url, *(A_BATCH.format(user_id=FIRST, before=before) for before in (5, 10)))
    lines = "SELECT count(*), count(DISTINCT log_id), sum(quantity), min(batch_number) FROM dispensed_lines"
    assert await fetch(database_url, lines) == [(3, 1, 15, "B-0")]
    await schema.downgrade(database_url, "0037")
    entries = "SELECT count(*), count(DISTINCT (action, occurred_at)), count(line.id) FROM pharmacy_log AS entry"
    joined = f"{entries} LEFT JOIN dispensed_lines AS line ON line.log_id = entry.id"
    assert await fetch(database_url, joined) == [(3, 1, 3)]
    await schema.upgrade(database_url)
    assert await fetch(database_url, lines) == [(3, 3, 15, "B-0")]


async def test_closed_prescriptions_become_expired_ones(database_url: str) -> None:
    rows = (AN_ACCOUNT.format(user_id=FIRST, name="Ann"), A_RECORD, A_PRESCRIPTION)
    await schema.downgrade(database_url, "0044")
    await run(database_url, *(statement.format(user_id=FIRST) for statement in rows))
    await schema.upgrade(database_url, "0045")
    await run(database_url, A_CLOSING.format(user_id=FIRST), "UPDATE prescriptions SET status = 'closed'")
    await schema.downgrade(database_url, "0044")
    assert await fetch(database_url, "SELECT status FROM prescriptions") == [("expired",)]
    assert await fetch(database_url, "SELECT action, to_status FROM pharmacy_log") == [("reject", "expired")]
    await schema.upgrade(database_url)
    assert await fetch(database_url, "SELECT status FROM prescriptions") == [("expired",)]


async def test_substitutes_are_noted_in_the_log_of_the_version_before(database_url: str) -> None:
    await schema.downgrade(database_url, "0045")
    rows = (AN_ACCOUNT.format(user_id=FIRST, name="Ann"), A_RECORD, A_PRESCRIPTION, *A_DISPENSE)
    await run(database_url, *(statement.format(user_id=FIRST) for statement in rows))
    await run(database_url, *(A_BATCH.format(user_id=FIRST, before=before) for before in (0, 5)))
    await schema.upgrade(database_url, "0046")
    allowed = "SELECT substitution_allowed FROM prescription_items"
    given = "SELECT dispensed_medicine_name, substitution_reason FROM dispensed_lines ORDER BY dispensed_before"
    assert await fetch(database_url, allowed) == [(True,)]
    assert await fetch(database_url, given) == [("", ""), ("", "")]
    await run(database_url, A_SUBSTITUTE)
    await schema.downgrade(database_url, "0045")
    notes = "SELECT notes FROM pharmacy_log"
    assert await fetch(database_url, notes) == [("Given: Generic A (instead of A): Not in stock.",)]
    await schema.upgrade(database_url)
    assert await fetch(database_url, given) == [("", ""), ("", "")]
