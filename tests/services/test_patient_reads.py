"""Tests how many patients' data an account of staff may be shown in an hour, and that admins are told."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from server.audit import audit_context
from server.audit.audit_context import AuditContext, Subject
from server.audit.events import AuditEvent, Outcome
from server.audit.storage.audit_writer import AuditWriter
from server.auth.jobs.read_alerts import ReadAlertJob
from server.db.engine import create_pool
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import PatientReadLimit
from server.identity import Caller, Role
from server.runtime.work import unit_of_work
from tests.fixtures.clinical import FIRST_PAGE, Clinic, open_clinic
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control

LIMIT = 200


@pytest.fixture
async def clinic(work: UnitOfWork, clock: SettableClock) -> Clinic:
    return await open_clinic(work, clock.clock)


@pytest.fixture(autouse=True)
def no_call_afterwards() -> Iterator[None]:
    yield
    audit_context._context.set(None)


def call_as(caller: Caller, limit: int | None = LIMIT) -> None:
    """Makes what follows a call of this account."""
    audit_context.enter(AuditContext("medconnect.Test/Read", "r", "127.0.0.1", "", caller, limit))


async def read(clinic: Clinic, caller: Caller, *patients: UUID, outcome: Outcome = Outcome.SUCCESS) -> None:
    """Records that these patients were shown, as a call does."""
    call_as(caller)
    async with clinic.work.begin() as tx:
        await tx[AuditWriter].record(AuditEvent.PATIENTS_LISTED, Subject("", None, patients), outcome=outcome)


def strangers(count: int) -> tuple[UUID, ...]:
    return tuple(new_id() for _ in range(count))


async def counted(clinic: Clinic, caller: Caller) -> int:
    [row] = await clinic.execute(
        "SELECT count(*) AS n FROM patient_reads WHERE account_id = :account", account=caller.user_id
    )
    return int(row["n"])


@control("S164")
async def test_mass_reading_stops_exactly_at_the_limit(clinic: Clinic) -> None:
    for _ in range(LIMIT - 2):
        await read(clinic, clinic.doctor, new_id())
    call_as(clinic.doctor)
    await clinic.patients.get(clinic.paula.id)
    await clinic.patients.get(clinic.quiet.id)
    with pytest.raises(PatientReadLimit) as refused:
        await read(clinic, clinic.doctor, new_id())
    assert 3500 <= (refused.value.retry_after or 0) <= 3600
    assert await counted(clinic, clinic.doctor) == LIMIT


@control("S164")
async def test_same_patient_again_does_not_count(clinic: Clinic) -> None:
    call_as(clinic.doctor)
    for _ in range(3):
        await clinic.patients.get(clinic.paula.id)
    assert await counted(clinic, clinic.doctor) == 1
    await read(clinic, clinic.doctor, *strangers(LIMIT - 1))
    await clinic.patients.get(clinic.paula.id)
    with pytest.raises(PatientReadLimit):
        await clinic.patients.get(clinic.quiet.id)


async def test_page_counts_each_patient_or_is_refused_whole(clinic: Clinic) -> None:
    call_as(clinic.doctor)
    page = await clinic.patients.search(clinic.doctor, None, FIRST_PAGE)
    assert await counted(clinic, clinic.doctor) == len(page.items) == 2
    await read(clinic, clinic.doctor, *strangers(LIMIT - 4))
    with pytest.raises(PatientReadLimit):
        await read(clinic, clinic.doctor, *strangers(3))
    await read(clinic, clinic.doctor, *strangers(2))


async def test_patient_counts_again_after_an_hour(clinic: Clinic) -> None:
    await read(clinic, clinic.doctor, *strangers(LIMIT))
    await clinic.execute(
        """
        UPDATE patient_reads SET counted_at = counted_at - interval '59 minutes' WHERE patient_id IN (
            SELECT patient_id FROM patient_reads LIMIT 5
        )
        """
    )
    with pytest.raises(PatientReadLimit) as refused:
        await read(clinic, clinic.doctor, *strangers(5))
    assert 1 <= (refused.value.retry_after or 0) <= 60
    await clinic.execute("UPDATE patient_reads SET counted_at = counted_at - interval '2 minutes'")
    await read(clinic, clinic.doctor, *strangers(5))
    with pytest.raises(PatientReadLimit):
        await read(clinic, clinic.doctor, new_id())


async def test_accounts_are_counted_apart_and_failures_not(clinic: Clinic) -> None:
    await read(clinic, clinic.doctor, *strangers(LIMIT))
    await read(clinic, clinic.colleague, new_id())
    await read(clinic, clinic.doctor, new_id(), outcome=Outcome.FAILURE)
    assert await counted(clinic, clinic.doctor) == LIMIT


async def test_caller_without_a_limit_is_not_counted(clinic: Clinic) -> None:
    call_as(clinic.paula_caller, None)
    await clinic.patients.get(clinic.paula.id)
    assert await counted(clinic, clinic.paula_caller) == 0


async def test_half_of_the_limit_is_told_to_every_admin_once(clinic: Clinic) -> None:
    admin = await clinic.execute("SELECT id FROM users WHERE role = 'admin'")
    await read(clinic, clinic.doctor, *strangers(LIMIT // 2 - 1))
    await ReadAlertJob(clinic.work).report()
    assert await told(clinic) == []
    for _ in range(3):
        await read(clinic, clinic.doctor, new_id())
        await ReadAlertJob(clinic.work).report()
    details = {"reader_id": str(clinic.doctor.user_id), "patients": str(LIMIT // 2)}
    assert await told(clinic) == [details] * len(admin)
    [event] = await clinic.execute("SELECT subject_id FROM events WHERE type = 'patients.many_read'")
    assert event["subject_id"] == clinic.doctor.user_id


async def told(clinic: Clinic) -> list[Any]:
    rows = await clinic.execute("SELECT details FROM emails WHERE kind = 'patient_reads'")
    return [json.loads(row["details"]) for row in rows]


@control("S164")
async def test_parallel_reads_are_counted_exactly(database_url: str) -> None:
    pool = create_pool(database_url, pool_size=16)
    work, doctor = unit_of_work(pool), Caller(new_id(), Role.DOCTOR, new_id())

    places = asyncio.Semaphore(16)

    async def one(patient: UUID) -> bool:
        call_as(doctor)
        try:
            async with places, work.begin() as tx:
                await tx[AuditWriter].record(AuditEvent.PATIENT_READ, Subject("patient", patient, (patient,)))
        except PatientReadLimit:
            return False
        return True

    try:
        read = await asyncio.gather(*(one(patient) for patient in strangers(LIMIT + 60) for _ in range(2)))
        async with work.read() as tx:
            stored = await tx.connection.scalar(text("SELECT count(*) FROM patient_reads"))
            alerts = await tx.connection.scalar(text("SELECT count(*) FROM read_alerts"))
    finally:
        await pool.close()
    assert (sum(read), stored, alerts) == (2 * LIMIT, LIMIT, 1)
