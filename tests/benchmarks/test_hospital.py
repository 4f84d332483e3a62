"""The generated hospital is repeatable, complete, and such as the server itself would have written it."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import ForeignKeyConstraint

from benchmarks.hospital.databases import QR_KEY
from benchmarks.hospital.facts import Facts, Size
from benchmarks.hospital.loading import DatabaseNotEmpty, load, tables_of
from benchmarks.hospital.tables import Rows, prescription_number
from server.audit.verification import verify
from server.clinical.rules.reference_number import normalize
from server.db.metadata import metadata
from server.qr import signed_code
from server.qr.key_ring import QrKeyRing
from tests.fixtures.database import committing_work

DAY = date(2026, 1, 31)
SMALL = Size(60, 300)
KEYS = QrKeyRing.parse(QR_KEY)


def texts(size: Size, seed: int, day: date = DAY) -> Iterator[str]:
    facts = Facts(size, seed, day)
    for table in tables_of(facts, Rows(facts, KEYS, "hash")):
        yield from ("\t".join(row) for row in table.rows())


def digest(seed: int, day: date = DAY) -> str:
    return hashlib.sha256("\n".join(texts(SMALL, seed, day)).encode()).hexdigest()


def test_rows_of_same_seed_and_day_are_the_same() -> None:
    assert digest(1) == digest(1)
    assert len({digest(1), digest(2), digest(1, date(2026, 2, 1))}) == 3


def test_rows_have_a_value_for_each_named_column() -> None:
    facts = Facts(SMALL, 1, DAY)
    for table in tables_of(facts, Rows(facts, KEYS, "hash")):
        rows = list(table.rows())
        assert {len(row) for row in rows} == {len(table.columns)}, table.name
        assert len(rows) == table.count or abs(len(rows) - table.count) < 0.2 * table.count, table.name


def test_whole_hospital_has_the_promised_size() -> None:
    whole = Size.scaled(1)
    assert (whole.patients, whole.prescriptions) == (200_000, 1_000_000)
    assert Size.scaled(0.01).prescriptions == 10_000


def test_reference_numbers_are_valid_and_unique() -> None:
    facts = Facts(Size(10, 3_000), 1, DAY)
    numbers = [prescription_number(facts.prescription(number)) for number in range(3_000)]
    assert len(set(numbers)) == 3_000
    assert all(normalize(number).text == number for number in numbers)


def test_codes_decrypt_to_their_prescriptions() -> None:
    facts = Facts(SMALL, 1, DAY)
    one = facts.prescription(299)
    content = signed_code.decode(Rows(facts, KEYS, "hash").code_text(one), KEYS)
    assert content.prescription_id == UUID(one.id)


async def test_loaded_rows_keep_every_constraint_and_the_chain(database_url: str) -> None:
    facts, _ = await load(database_url, SMALL, KEYS, seed=1, day=datetime.now(UTC).date())
    connection = await asyncpg.connect(database_url)
    try:
        for table in metadata.tables.values():
            for constraint in table.foreign_key_constraints:
                assert await connection.fetchval(dangling(constraint)) == 0, constraint.name
        indexes = await connection.fetchval("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'")
        assert indexes >= sum(len(table.indexes) for table in metadata.tables.values())
    finally:
        await connection.close()
    async with committing_work(database_url, owner=True) as work:
        verified = await verify(work)
    assert verified.broken is None
    assert verified.sealed == 2 * facts.size.prescriptions


async def test_load_into_a_used_database_is_refused(database_url: str) -> None:
    await load(database_url, Size(2, 4), KEYS, seed=1, day=DAY)
    with pytest.raises(DatabaseNotEmpty):
        await load(database_url, Size(2, 4), KEYS, seed=1, day=DAY)


def dangling(constraint: ForeignKeyConstraint) -> str:
    """Returns a statement that counts the rows whose foreign key names no row."""
    pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
    joined = " AND ".join(f"there.{theirs} = here.{ours}" for ours, theirs in pairs)
    given = " AND ".join(f"here.{ours} IS NOT NULL" for ours, _ in pairs)
    referred = constraint.referred_table.name
    without = f"NOT EXISTS (SELECT FROM {referred} AS there WHERE {joined})"
    return f"SELECT count(*) FROM {constraint.table.name} AS here WHERE {given} AND {without}"  # noqa: S608
