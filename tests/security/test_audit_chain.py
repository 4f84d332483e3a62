"""S51: any change, removal, insertion or move of a sealed record is found, at the right place."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select

from server.audit.hash_chain import Head, HeadKey
from server.audit.head_sinks import HeadSink
from server.audit.heads import DAMAGED, read_heads
from server.audit.seal_worker import ChainAhead, HeadKeeper, SealWorker, links
from server.audit.storage.seals import NO_SEAL, SealRepository
from server.audit.storage.tables import audit_records
from server.audit.verification import verify
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from tests.fixtures.database import as_owner, committing_work
from tests.fixtures.pace import within
from tests.fixtures.proofs import control

KEY = HeadKey(b"k" * 32)
MANY = 40
FILL = """
    INSERT INTO audit_records (id, action, event, outcome, actor_id, actor_role, address, rpc, object_kind, object_id,
                               patient_ids, purpose, request_id)
    SELECT gen_random_uuid(), 'R', 'patient_read', 0, gen_random_uuid(), 'doctor', '192.0.2.1', 'GetPatient', 'patient',
           gen_random_uuid(), ARRAY[gen_random_uuid()], 'TREAT', 'request ' || n
    FROM generate_series(1, {}) AS n
"""
UNGUARDED = (
    "ALTER TABLE audit_records DISABLE TRIGGER ALL",
    "ALTER TABLE audit_seals DISABLE TRIGGER ALL",
)
SEALED = "SELECT record_id FROM audit_seals ORDER BY position"


@pytest.fixture
async def work(database_url: str) -> AsyncIterator[UnitOfWork]:
    """Yields a unit of work on a database whose audit holds some sealed records."""
    async with committing_work(database_url, owner=True) as work:
        await as_owner(database_url, FILL.format(MANY))
        await a_sealer(work).seal()
        yield work


class Kept(list[str]):
    """A sink that keeps heads in memory."""

    async def write(self, line: str) -> None:
        self.append(line)


def a_sealer(work: UnitOfWork, sink: HeadSink | None = None) -> SealWorker:
    return SealWorker(work, HeadKeeper(KEY, Kept() if sink is None else sink, Clock()))


async def fetch(url: str, statement: str) -> Sequence[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def changed(column: str) -> str:
    return f"UPDATE audit_records SET {column} WHERE id = '{{ids[9]}}'"  # noqa: S608


TAMPERINGS = {
    "a byte of a text": ([changed("request_id = request_id || '!'")], 10, "changed"),
    "the outcome": ([changed("outcome = 8")], 10, "changed"),
    "the actor": ([changed("actor_id = NULL")], 10, "changed"),
    "a patient added": ([changed("patient_ids = patient_ids || gen_random_uuid()")], 10, "changed"),
    "the time, by a microsecond": ([changed("occurred_at = occurred_at + interval '1 microsecond'")], 10, "changed"),
    "the time, to one that never comes": ([changed("occurred_at = 'infinity'")], 10, "changed"),
    "the time, to one before all": ([changed("occurred_at = '0044-03-15 00:00+00 BC'")], 10, "changed"),
    "a patient that is none": ([changed("patient_ids = ARRAY[NULL]::uuid[]")], 10, "changed"),
    "patients in a square": ([changed("patient_ids = ARRAY[ARRAY[id], ARRAY[id]]")], 10, "changed"),
    "a record in the middle removed": (["DELETE FROM audit_records WHERE id = '{ids[9]}'"], 10, "record is gone"),
    "a record and its seal removed": (
        ["DELETE FROM audit_seals WHERE position = 10", "DELETE FROM audit_records WHERE id = '{ids[9]}'"],
        10,
        "seal is gone",
    ),
    "the last records removed": (["DELETE FROM audit_records WHERE id IN ('{ids[38]}', '{ids[39]}')"], 39, "gone"),
    "a record inserted behind the chain's end": (
        [
            "INSERT INTO audit_records SELECT gen_random_uuid(), transaction_id - 1, occurred_at, action, event,"
            " outcome, actor_id, actor_role FROM audit_records WHERE id = '{ids[9]}'"
        ],
        40,
        "inserted before the chain's end",
    ),
    "a record inserted with a seal": (
        [
            "UPDATE audit_seals SET position = position + 1000 WHERE position > 10",
            "UPDATE audit_seals SET position = position - 999 WHERE position > 10",
            "INSERT INTO audit_records SELECT '00000000-0000-7000-8000-000000000001', transaction_id, occurred_at,"
            " action, event, outcome, actor_id, actor_role FROM audit_records WHERE id = '{ids[9]}'",
            "INSERT INTO audit_seals SELECT 11, '00000000-0000-7000-8000-000000000001', transaction_id, hash"
            " FROM audit_seals WHERE position = 10",
        ],
        11,
        "changed",
    ),
    "two records swapped": (
        [
            "UPDATE audit_records SET (request_id, object_id) = (SELECT request_id, object_id FROM audit_records"
            " WHERE id = '{ids[19]}') WHERE id = '{ids[9]}'",
        ],
        10,
        "changed",
    ),
    "two seals swapped": (
        [
            "UPDATE audit_seals SET position = 1000 WHERE position = 10",
            "UPDATE audit_seals SET position = 10 WHERE position = 20",
            "UPDATE audit_seals SET position = 20 WHERE position = 1000",
        ],
        10,
        "changed",
    ),
}


@control("S51")
@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_tampering_as_superuser_is_found_at_its_place(
    work: UnitOfWork, database_url: str, tampering: str
) -> None:
    statements, position, fault = TAMPERINGS[tampering]
    ids: Sequence[UUID] = await fetch(database_url, SEALED)
    before = await verify(work)
    assert (before.sealed, before.broken, before.unsealed) == (MANY, None, 0)

    await as_owner(database_url, *UNGUARDED, *(statement.format(ids=ids) for statement in statements))

    found = (await verify(work)).broken
    assert found is not None
    assert (found.position, fault in found.fault) == (position, True), found
    if fault == "changed" and len(statements) == 1:
        assert found.record_id == ids[position - 1]


@control("S51")
async def test_rewritten_or_cut_chain_differs_from_kept_log(work: UnitOfWork, database_url: str) -> None:
    head = (await verify(work)).head
    signed = KEY.sign(head)
    line = {"event": "audit_head", "position": signed.position, "hash": signed.hash, "signature": signed.signature}
    keys = {KEY.key_id: KEY.public}
    rubbish = [{**line, "position": 7}, {**line, "position": str(head.position)}, {**line, "hash": None}]
    rubbish += [
        {"event": "audit_head"},
        {**line, "signature": "\u00e9"},
        {"event": "call", "user_agent": '{"event": "audit_head"}'},
    ]
    log = ["not a line of ours", "[", "7", *map(json.dumps, rubbish), f"Nov 26 12:00:00 host: {json.dumps(line)}"]
    read = read_heads(log, keys)
    assert read.heads == [head]
    assert read.unchecked == {"unnamed": 2, DAMAGED: 3}

    await as_owner(
        database_url,
        *UNGUARDED,
        "UPDATE audit_records SET event = 'account_read'",
        "DELETE FROM audit_seals",
    )
    await a_sealer(work).seal()
    assert (await verify(work)).broken is None  # the owner of the database can seal a forged chain
    anew = (await verify(work)).head
    for log_of_both in ([head], [head, anew], [anew, head]):  # the forger keeps logging heads
        found = (await verify(work, log_of_both)).broken
        assert found is not None
        assert found.position == MANY

    await as_owner(database_url, "DELETE FROM audit_seals WHERE position > 30")
    await as_owner(database_url, "DELETE FROM audit_records WHERE id NOT IN (SELECT record_id FROM audit_seals)")
    found = (await verify(work, [Head(head.position, head.hash)])).broken
    assert found is not None
    assert (found.position, found.fault) == (31, f"the kept heads saw {MANY} records")


@control("S51")
async def test_later_commit_is_never_before_the_chains_end(work: UnitOfWork, database_url: str) -> None:
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(FILL.format(1))  # an older transaction than the next one, committed later
    await as_owner(database_url, FILL.format(3))
    sealing = a_sealer(work)
    await sealing.seal()
    waiting = await verify(work)
    await transaction.commit()
    await slow.close()
    await sealing.seal()
    found = await verify(work)
    assert (waiting.sealed, waiting.unsealed, waiting.broken) == (MANY, 3, None)
    assert (found.sealed, found.unsealed, found.broken) == (MANY + 4, 0, None)


@control("S51")
async def test_what_has_no_form_in_python_stops_nobody_who_seals(work: UnitOfWork, database_url: str) -> None:
    await as_owner(database_url, FILL.format(1), *UNGUARDED, "DELETE FROM audit_seals")
    await as_owner(database_url, "UPDATE audit_records SET occurred_at = '0044-03-15 00:00+00 BC'")
    await a_sealer(work).seal()
    found = await verify(work)
    assert (found.sealed, found.unsealed, found.broken) == (MANY + 1, 0, None)


@control("S51")
async def test_a_dump_in_another_server_is_known_as_one(work: UnitOfWork, database_url: str) -> None:
    """The other server restarts its transaction ids, so new records would sort before the end of the chain."""
    await as_owner(
        database_url,
        *UNGUARDED,
        "DELETE FROM audit_seals",
        "UPDATE audit_records SET transaction_id = transaction_id + 1000000000",
    )
    async with work.begin() as tx:
        rows = await tx.connection.rows(select(audit_records).order_by("transaction_id", "id"))
        await tx[SealRepository].add(links(NO_SEAL.head, map(dict, rows)))
    with pytest.raises(ChainAhead):
        await a_sealer(work).seal()
    found = (await verify(work)).broken
    assert found is not None
    assert (found.position, found.fault) == (MANY, "the chain is that of another database server")


@control("S51")
async def test_of_many_who_seal_at_once_each_record_gets_one_seal(work: UnitOfWork, database_url: str) -> None:
    await as_owner(database_url, FILL.format(500))
    await asyncio.gather(*(a_sealer(work).seal() for _ in range(8)))
    await a_sealer(work).seal()
    found = await verify(work)
    assert (found.sealed, found.unsealed, found.broken) == (MANY + 500, 0, None)


@control("S51")
async def test_the_worker_is_a_second_behind_at_most(work: UnitOfWork, database_url: str) -> None:
    async with a_sealer(work).running():
        await as_owner(database_url, FILL.format(5))
        deadline = time.monotonic() + within(5)
        while (await verify(work)).unsealed and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
    [behind] = await fetch(
        database_url,
        "SELECT extract(epoch FROM max(sealed_at - occurred_at)) FROM audit_seals JOIN audit_records ON id = record_id"
        " WHERE request_id IN ('request 1', 'request 5') AND sealed_at > now() - interval '6 seconds'",
    )
    assert behind < within(1.5)  # one second, and the time to wake up


@control("S51")
async def test_many_records_are_verified_quickly(work: UnitOfWork, database_url: str, audit_records: int) -> None:
    """Prints the time; `pytest tests/security --audit-records=100000` measures the number of the security page."""
    await as_owner(database_url, FILL.format(audit_records))
    await a_sealer(work).seal()
    started = time.monotonic()
    found = await verify(work)
    took = time.monotonic() - started
    print(f"{found.sealed} records verified in {took:.1f} s")
    assert (found.sealed, found.broken) == (audit_records + MANY, None)
    assert took < within(30 * max(audit_records, 10_000) / 100_000)
