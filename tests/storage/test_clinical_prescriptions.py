"""Tests the promises of the prescription repository to the slices that change prescriptions through it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from asyncpg import IntegrityConstraintViolationError

from server.clinical.entities import Claim, Prescription, PrescriptionStatus
from server.clinical.storage.expiry import ExpiryRepository
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.clinical.storage.qr_codes import QrCodeRepository
from server.db.engine import create_pool
from server.errors import NotFound
from server.runtime.work import unit_of_work
from tests.fixtures.clinical import Clinic, open_clinic
from tests.fixtures.clock import SettableClock
from tests.fixtures.statements import noted_statements

PENDING, SCANNED, VALIDATED, PARTLY, DISPENSED, REJECTED, CANCELLED, EXPIRED, CLOSED = PrescriptionStatus


@pytest.fixture
async def shared_clinic(database_url: str, clock: SettableClock) -> AsyncIterator[Clinic]:
    """Yields a clinic whose transactions are real and run concurrently."""
    pool = create_pool(database_url, pool_size=5)
    yield await open_clinic(unit_of_work(pool), clock.clock)
    await pool.close()


@pytest.mark.parametrize("status", [status for status in PrescriptionStatus if status is not VALIDATED])
async def test_transition_is_stored_as_it_is_returned(clinic: Clinic, status: PrescriptionStatus) -> None:
    written = await clinic.prescribe()
    async with clinic.work.begin() as tx:
        locked = await tx[PrescriptionRepository].get_for_update(written.id)
        moved = await tx[PrescriptionRepository].move(locked, status, reason="because")
        assert await tx[PrescriptionRepository].get(written.id) == moved
    assert (moved.status, moved.status_reason, moved.claim) == (status, "because", None)
    assert (moved.fulfilled_at is not None) is (status is DISPENSED)


@pytest.mark.parametrize("source", [SCANNED, PARTLY])
async def test_a_claim_is_stored_renewed_and_given_back(clinic: Clinic, source: PrescriptionStatus) -> None:
    written = await clinic.prescribe(status=f"'{source}'")
    async with clinic.work.begin() as tx:
        locked = await tx[PrescriptionRepository].get_for_update(written.id)
        claim = Claim(clinic.pharmacist.user_id, source, locked.as_of + timedelta(minutes=30))
        held = await tx[PrescriptionRepository].move(locked, VALIDATED, claim=claim)
        assert await tx[PrescriptionRepository].get(written.id) == held
        longer = replace(claim, expires_at=locked.as_of + timedelta(minutes=50))
        renewed = await tx[PrescriptionRepository].move(held, VALIDATED, claim=longer)
        assert (await tx[PrescriptionRepository].get(written.id)).claim == renewed.claim == longer
        released = await tx[PrescriptionRepository].move(renewed, source)
        assert await tx[PrescriptionRepository].get(written.id) == released


async def test_database_rejects_claim_and_state_without_each_other(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    claim = Claim(clinic.pharmacist.user_id, SCANNED, written.expires_at)
    for status, held in ((VALIDATED, None), (SCANNED, claim), (VALIDATED, replace(claim, claimed_from=PENDING))):
        with pytest.raises(IntegrityConstraintViolationError):
            async with clinic.work.begin() as tx:
                await tx[PrescriptionRepository].move(written, status, claim=held)


async def test_dispensed_quantities_are_added_by_one_statement(clinic: Clinic) -> None:
    written = await clinic.prescribe(items=3)
    first, second, _third = written.items
    with noted_statements() as ran:
        async with clinic.work.begin() as tx:
            await tx[PrescriptionRepository].add_dispensed({first.id: Decimal(5), second.id: Decimal(20)})
    assert len(ran) == 1
    async with clinic.work.begin() as tx:
        await tx[PrescriptionRepository].add_dispensed({first.id: Decimal(3)})
        read = await tx[PrescriptionRepository].get(written.id)
    assert [item.dispensed_quantity for item in read.items] == [8, 20, 0]


async def test_database_rejects_dispensing_more_than_prescribed(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    with pytest.raises(IntegrityConstraintViolationError):
        async with clinic.work.begin() as tx:
            await tx[PrescriptionRepository].add_dispensed({written.items[0].id: Decimal(21)})


async def test_prescription_is_found_and_locked_by_one_statement(clinic: Clinic) -> None:
    written = await clinic.prescribe()
    with noted_statements() as ran:
        async with clinic.work.begin() as tx:
            assert await tx[PrescriptionRepository].by_number_for_update(written.number) == written
    assert len(ran) == 1


async def test_unknown_prescription_is_not_found(clinic: Clinic) -> None:
    async with clinic.work.begin() as tx:
        for attempt in (
            tx[PrescriptionRepository].get(uuid4()),
            tx[PrescriptionRepository].get_for_update(uuid4()),
            tx[PrescriptionRepository].by_number_for_update("RX-20261201-00000000"),
        ):
            with pytest.raises(NotFound, match="no such prescription"):
                await attempt
        assert await tx[QrCodeRepository].get(uuid4()) is None


async def test_open_prescriptions_of_patient_are_found_newest_first(clinic: Clinic) -> None:
    states = ["'pending'", "'scanned'", "'partially_dispensed'", "'rejected'", "'cancelled'", "'expired'"]
    written = [
        await clinic.prescribe(status=status, created_at=f"now() - interval '{hours} hours'")
        for hours, status in enumerate(states)
    ]
    await clinic.prescribe(expires_at="now()")
    held = await clinic.prescribe(created_at="now() - interval '1 day'")
    await clinic.claim(held.id)
    await clinic.prescribe(clinic.quiet)
    async with clinic.work.begin() as tx:
        patient_id, found, _ = await tx[PrescriptionRepository].open_of_patient_for_update(
            clinic.paula.reference_number
        )
    assert patient_id == clinic.paula.id
    assert [prescription.id for prescription in found] == [written[0].id, written[1].id, written[2].id, held.id]
    assert [prescription.status for prescription in found] == [PENDING, SCANNED, PARTLY, VALIDATED]


async def test_patient_without_open_prescription_is_not_unknown(clinic: Clinic) -> None:
    async with clinic.work.begin() as tx:
        found = await tx[PrescriptionRepository].open_of_patient_for_update(clinic.paula.reference_number)
        assert found == (clinic.paula.id, (), False)
        with pytest.raises(NotFound, match="no such patient"):
            await tx[PrescriptionRepository].open_of_patient_for_update("PAT-20261201-00000000")


async def test_scans_are_counted_and_none_is_lost(shared_clinic: Clinic) -> None:
    written = await shared_clinic.prescribe()

    async def scan() -> int:
        async with shared_clinic.work.begin() as tx:
            await tx[PrescriptionRepository].get_for_update(written.id)
            return await tx[QrCodeRepository].count_scan(written.qr_code.id)

    assert sorted(await asyncio.gather(*(scan() for _ in range(7)))) == [1, 2, 3, 4, 5, 6, 7]
    assert (await shared_clinic.prescriptions.get(shared_clinic.doctor, written.id)).qr_code.scan_count == 7


async def waiting_reader(clinic: Clinic, prescription_id: UUID) -> asyncio.Task[Prescription]:
    """Starts a caller that asks for a lock held by another; returns when it waits in the database's queue."""

    async def read() -> Prescription:
        async with clinic.work.begin() as tx:
            return await tx[PrescriptionRepository].get_for_update(prescription_id)

    task = asyncio.create_task(read())
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    while (await clinic.execute(query))[0]["count"] == 0:
        await asyncio.sleep(0.01)
    return task


async def test_waiting_for_a_lock_then_reads_the_dispensed_quantity(shared_clinic: Clinic) -> None:
    written = await shared_clinic.prescribe(items=2)
    async with shared_clinic.work.begin() as tx:
        locked = await tx[PrescriptionRepository].get_for_update(written.id)
        waiting = await waiting_reader(shared_clinic, written.id)
        await tx[PrescriptionRepository].add_dispensed({written.items[0].id: Decimal(7)})
        await tx[PrescriptionRepository].move(locked, PARTLY)
    seen = await waiting
    assert (seen.status, [item.dispensed_quantity for item in seen.items]) == (PARTLY, [Decimal(7), Decimal(0)])


async def test_waiting_for_a_lock_then_reads_the_newly_issued_code(shared_clinic: Clinic) -> None:
    written = await shared_clinic.prescribe()
    async with shared_clinic.work.begin() as tx:
        await tx[PrescriptionRepository].get_for_update(written.id)
        waiting = await waiting_reader(shared_clinic, written.id)
        code = replace(written.qr_code, id=uuid4(), qr_hash="f" * 32)
        await tx[QrCodeRepository].replace(code)
    assert (await waiting).qr_code == code


async def test_expired_rows_are_stored_once_and_no_others_change(clinic: Clinic) -> None:
    overdue, released, held, pending = [await clinic.prescribe() for _ in range(4)]
    await clinic.alter(overdue.id, expires_at="now() - interval '1 minute'")
    await clinic.claim(released.id, "-1 second", PARTLY)
    await clinic.claim(held.id)
    final = await clinic.prescribe(status="'rejected'", expires_at="now() - interval '1 minute'")
    written = [overdue, released, held, pending, final]
    before = [await clinic.prescriptions.get(clinic.doctor, prescription.id) for prescription in written]
    async with clinic.work.begin() as tx:
        expiry = tx[ExpiryRepository]
        assert (await expiry.expire_due(), await expiry.expire_due()) == (2, 0)
    assert [await clinic.prescriptions.get(clinic.doctor, prescription.id) for prescription in written] == before
    rows = await clinic.execute("SELECT id, status FROM prescriptions")
    assert {row["id"]: row["status"] for row in rows} == {
        overdue.id: EXPIRED,
        released.id: PARTLY,
        held.id: VALIDATED,
        pending.id: PENDING,
        final.id: REJECTED,
    }
