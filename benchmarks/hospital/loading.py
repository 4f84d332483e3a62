"""Writes the generated hospital into a migrated, empty database with COPY."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg
from argon2 import PasswordHasher

from benchmarks.hospital.audit import AuditRows
from benchmarks.hospital.facts import PASSWORD, Facts, Size
from benchmarks.hospital.tables import ITEMS, Row, Rows, TableData
from server.qr.key_ring import QrKeyRing

if TYPE_CHECKING:  # this class has type parameters in its stubs only
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

Report = Callable[[str, int, int], None]
"""Is told the step (a table's name), how many rows it has written, and how many it writes in all."""

ROWS_AT_ONCE: Final = 5_000
"""The rows of one message of COPY, and between two reports of progress."""

_INDEXES: Final = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relname = ANY($1) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    """
_SESSION: Final = """
    SET session_replication_role = replica;  -- no triggers, no checks of foreign keys: the rows agree by construction
    SET synchronous_commit = off;
    SET maintenance_work_mem = '256MB'
    """
_SEQUENCES: Final = """
    SELECT setval('event_positions', $1::bigint), setval(pg_get_serial_sequence('events', 'id'), $1::bigint)
    """


class DatabaseNotEmpty(Exception):
    """The database already contains accounts."""


def quiet(_step: str, _done: int, _total: int) -> None:
    """Discards the progress of a load."""


async def load(
    database_url: str, size: Size, keys: QrKeyRing, *, seed: int, day: date, report: Report = quiet
) -> tuple[Facts, Rows]:
    """Writes a hospital and returns its facts and rows. Raises DatabaseNotEmpty.

    database_url: of the database's owner. keys: the service's, for the QR codes. day: the day on which the data ends.
    """
    facts = Facts(size, seed, day)
    rows = Rows(facts, keys, password_hash(seed))
    connection = await asyncpg.connect(database_url)
    try:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM users)"):
            raise DatabaseNotEmpty("the database already contains accounts: reset it first")
        await connection.execute(_SESSION)
        await _copy_all(connection, tuple(tables_of(facts, rows)), report)
        await connection.execute(_SEQUENCES.replace("$1", str(size.prescriptions * 2)))
        report("statistics", 0, 1)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("COMMENT ON TABLE users IS 'generated'")  # the mark of a complete database
        report("statistics", 1, 1)
    finally:
        await connection.close()
    return facts, rows


async def _copy_all(connection: "Connection", tables: tuple[TableData, ...], report: Report) -> None:
    """Copies all tables without their indexes, which are faster to build afterwards."""
    indexes = await connection.fetch(_INDEXES, [table.name for table in tables])
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for table in tables:
        source = _texts(table, report)
        await connection.copy_to_table(table.name, source=source, columns=table.columns, format="text")
    for done, index in enumerate(indexes):
        report("indexes", done, len(indexes))
        await connection.execute(index["definition"])
    report("indexes", len(indexes), len(indexes))


async def _texts(table: TableData, report: Report) -> AsyncIterator[bytes]:
    """Yields the rows of a table in COPY's text format."""
    rows, done = table.rows(), 0
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        yield "".join(map(_line, batch)).encode()
        done += len(batch)
        report(table.name, done, max(done, table.count))
        await asyncio.sleep(0)
    report(table.name, done, done)


def _line(row: Row) -> str:
    return "\t".join(row) + "\n"


def password_hash(seed: int) -> str:
    """Returns the hash of PASSWORD with the service's parameters, and a salt by the seed so that it is repeatable."""
    salt = f"generated {seed:06d}".encode()[:16].ljust(16, b".")
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD, salt=salt)


def tables_of(facts: Facts, rows: Rows) -> Iterator[TableData]:
    """Yields all tables with their columns."""
    size, audit = facts.size, AuditRows(facts)
    dispensed = round(size.prescriptions * 0.62)
    for name, columns, count, made in (
        (
            "users",
            "id email password_hash full_name name_words role status license_number pharmacy_name created_at"
            " status_changed_at email_confirmed_at",
            size.accounts,
            rows.users,
        ),
        ("user_names", "user_id since full_name license_number pharmacy_name", size.accounts, rows.user_names),
        ("organisations", "id kind name match_key created_at", size.pharmacists, rows.organisations),
        (
            "memberships",
            "id user_id organisation_id member_right since",
            size.pharmacists,
            rows.memberships,
        ),
        (
            "patients",
            "id user_id reference_number full_name sort_name name_words phone date_of_birth gender blood_type address"
            " allergies insurance_provider insurance_number created_at updated_at identified_at identified_document",
            size.patients,
            rows.patients,
        ),
        ("patient_names", "patient_id since full_name", size.patients, rows.patient_names),
        (
            "visits",
            "id patient_id doctor_id visit_date visit_type chief_complaint diagnosis recommendations created_at",
            size.prescriptions // 2,
            rows.visits,
        ),
        (
            "prescriptions",
            "id number patient_id doctor_id visit_id diagnosis doctor_notes status created_at expires_at changed_at"
            " fulfilled_at",
            size.prescriptions,
            rows.prescriptions,
        ),
        (
            "prescription_items",
            "id prescription_id position medicine_name dosage frequency quantity instructions route duration_days"
            " dispensed_quantity",
            size.prescriptions * ITEMS,
            rows.items,
        ),
        (
            "qr_codes",
            "id prescription_id key_id nonce qr_hash issued_at expires_at scan_count text_format",
            size.prescriptions,
            rows.codes,
        ),
        ("events", "id type subject_id details occurred_at position", size.prescriptions * 2, rows.events),
        (
            "emails",
            "id kind recipient_id recipient prescription_id state attempts created_at due_at queued_at finished_at"
            " event_id",
            size.prescriptions,
            rows.emails,
        ),
        (
            "pharmacy_log",
            "id prescription_id pharmacist_id action from_status to_status occurred_at",
            dispensed * 3,
            rows.log,
        ),
        (
            "dispensed_lines",
            "id log_id item_id dispensed_before quantity unit_price currency batch_number expiry_date",
            dispensed * ITEMS,
            rows.lines,
        ),
        (
            "audit_records",
            "id transaction_id occurred_at action event outcome actor_id actor_role object_kind object_id patient_ids",
            audit.count,
            audit.records,
        ),
        ("audit_seals", "position record_id transaction_id hash sealed_at", audit.count, audit.seals),
    ):
        yield TableData(name, tuple(columns.split()), count, made)
