"""Tests the rules on dispensing that the database itself enforces, whatever the code above it does."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from asyncpg import IntegrityConstraintViolationError
from sqlalchemy import text

from server.audit.audit_context import NOTHING
from server.audit.events import AuditEvent
from server.clinical.entities import Claim, Prescription, PrescriptionItem, PrescriptionStatus
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.date_range import Period
from server.db.connection import Connection
from server.db.engine import APP_ROLE
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import NotFound
from server.pharmacy.entities import HistoryFilter, NewEntry, NewLine, PharmacyAction
from server.pharmacy.storage.claims import ClaimRepository
from server.pharmacy.storage.pharmacy import PharmacyRepository
from tests.fixtures.pharmacy import PharmacyPeople, open_pharmacy
from tests.fixtures.statements import noted_statements


async def prescribed(tx: Transaction) -> tuple[PharmacyPeople, UUID, tuple[PrescriptionItem, ...]]:
    pharmacy_people = await open_pharmacy(tx.connection)
    written = await pharmacy_people.prescribe(tx.connection)
    return pharmacy_people, written.id, (await tx[PrescriptionRepository].get(written.id)).items


def an_entry(
    pharmacy_people: PharmacyPeople, prescription_id: UUID, action: PharmacyAction = PharmacyAction.DISPENSE
) -> NewEntry:
    states = PrescriptionStatus.VALIDATED, PrescriptionStatus.PARTIALLY_DISPENSED
    acting = pharmacy_people.pharmacist
    return NewEntry(new_id(), prescription_id, acting.user_id, acting.organisation_id, action, *states, "notes")


def a_line(item: PrescriptionItem, before: int = 0, quantity: int = 3) -> NewLine:
    return NewLine(
        new_id(), item.id, Decimal(before), Decimal(quantity), Decimal("9.90"), "EUR", "B-1", date(2030, 1, 31)
    )


async def test_lines_come_back_as_they_were_written(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, (first, second) = await prescribed(tx)
        entry = an_entry(pharmacy_people, prescription_id)
        await tx[PharmacyRepository].add_dispensing(NOTHING, entry, [a_line(second), a_line(first, quantity=7)])
        lines = await tx[PharmacyRepository].lines_for(prescription_id, pharmacy_people.pharmacist)
    assert [(line.log_id, line.item_id, line.quantity) for line in lines] == [
        (entry.id, first.id, Decimal(7)),
        (entry.id, second.id, Decimal(3)),
    ]
    assert (lines[0].unit_price, lines[0].currency, lines[0].batch_number) == (Decimal("9.90"), "EUR", "B-1")
    assert (lines[0].expiry_date, lines[0].total) == (date(2030, 1, 31), Decimal("69.30"))


async def test_lines_are_visible_only_to_their_pharmacist_and_patient(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, (item, _) = await prescribed(tx)
        stranger, _, _ = await prescribed(tx)
        await tx[PharmacyRepository].add_dispensing(NOTHING, an_entry(pharmacy_people, prescription_id), [a_line(item)])
        readers = (
            pharmacy_people.pharmacist,
            pharmacy_people.patient,
            pharmacy_people.colleague,
            pharmacy_people.doctor,
            stranger.patient,
            stranger.pharmacist,
        )
        shown = [len(await tx[PharmacyRepository].lines_for(prescription_id, reader)) for reader in readers]
    assert shown == [1, 1, 0, 0, 0, 0]


async def test_two_lines_of_an_item_never_start_at_the_same_quantity(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, (item, _) = await prescribed(tx)
        await tx[PharmacyRepository].add_dispensing(NOTHING, an_entry(pharmacy_people, prescription_id), [a_line(item)])
        await tx[PharmacyRepository].add_dispensing(
            NOTHING, an_entry(pharmacy_people, prescription_id), [a_line(item, before=3)]
        )
    with pytest.raises(IntegrityConstraintViolationError, match="uq_dispensed_lines_start"):
        async with work.begin() as tx:
            await tx[PharmacyRepository].add_dispensing(
                NOTHING, an_entry(pharmacy_people, prescription_id), [a_line(item, before=3)]
            )


async def test_an_item_never_counts_more_dispensed_than_prescribed(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        _, _, (item, _) = await prescribed(tx)
        await tx[PrescriptionRepository].add_dispensed({item.id: item.quantity})
    with pytest.raises(IntegrityConstraintViolationError, match="ck_prescription_items_dispensed_quantity"):
        async with work.begin() as tx:
            await tx[PrescriptionRepository].add_dispensed({item.id: Decimal(1)})


async def test_only_scans_and_lookups_of_last_day_count_as_recent(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, _ = await prescribed(tx)
        for action in PharmacyAction:
            await tx.connection.execute(text("DELETE FROM pharmacy_log"))
            assert not await found(
                tx[ClaimRepository].to_finish_for_update(prescription_id, pharmacy_people.pharmacist)
            )
            await tx[PharmacyRepository].add(
                AuditEvent.PRESCRIPTION_SCANNED, NOTHING, an_entry(pharmacy_people, prescription_id, action)
            )
            looked = action in (PharmacyAction.SCAN, PharmacyAction.LOOKUP)
            assert await found(tx[ClaimRepository].to_finish_for_update(prescription_id, pharmacy_people.pharmacist))
            assert (
                await found(tx[ClaimRepository].to_claim_for_update(prescription_id, pharmacy_people.pharmacist))
                is looked
            )
            assert not await found(tx[ClaimRepository].to_claim_for_update(prescription_id, pharmacy_people.colleague))
            assert not await found(tx[ClaimRepository].to_finish_for_update(new_id(), pharmacy_people.pharmacist))


async def test_claimed_is_found_to_end_the_claim_but_not_to_claim(
    work: UnitOfWork,
) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, _ = await prescribed(tx)
        prescription = await tx[PrescriptionRepository].get_for_update(prescription_id)
        until = prescription.as_of + timedelta(minutes=1)
        claim = Claim(pharmacy_people.pharmacist.user_id, PrescriptionStatus.SCANNED, until)
        await tx[PrescriptionRepository].move(prescription, PrescriptionStatus.VALIDATED, claim=claim)
        assert await found(tx[ClaimRepository].to_finish_for_update(prescription_id, pharmacy_people.colleague))
        assert await found(tx[ClaimRepository].to_reject_for_update(prescription_id, pharmacy_people.colleague))
        assert not await found(tx[ClaimRepository].to_claim_for_update(prescription_id, pharmacy_people.colleague))


async def found(looking: Awaitable[Prescription]) -> bool:
    """Returns whether a prescription is found."""
    try:
        await looking
    except NotFound:
        return False
    return True


async def test_entries_of_one_statement_all_arrive(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, _ = await prescribed(tx)
        pharmacy_id = pharmacy_people.pharmacist.organisation_id
        assert pharmacy_id is not None
        entries = [an_entry(pharmacy_people, prescription_id, PharmacyAction.LOOKUP) for _ in range(5)]
        await tx[PharmacyRepository].add(AuditEvent.PRESCRIPTION_LOOKED_UP, NOTHING, *entries)
        stored, found = await tx[PharmacyRepository].log(prescription_id, pharmacy_id, None, 20)
    assert {entry.id for entry in stored} == {entry.id for entry in entries}
    assert found == 5


async def test_the_lists_find_their_rows_by_index_in_a_long_log(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        pharmacy_people, prescription_id, (item, _) = await prescribed(tx)
        _, other_id, _ = await prescribed(tx)
        await tx.connection.execute(
            text(
                "INSERT INTO pharmacy_log"
                " (id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status)"
                " SELECT gen_random_uuid(), :prescription, :pharmacist, :pharmacy, 'scan', 'scanned', 'scanned'"
                " FROM generate_series(1, 20000)"
            ),
            {
                "prescription": other_id,
                "pharmacist": pharmacy_people.colleague.user_id,
                "pharmacy": pharmacy_people.colleague.organisation_id,
            },
        )
        await tx.connection.execute(text("SET LOCAL ROLE NONE"))  # only the owner may update statistics
        await tx.connection.execute(text("ANALYZE pharmacy_log"))
        await tx.connection.execute(text(f"SET LOCAL ROLE {APP_ROLE}"))
        await tx[PharmacyRepository].add_dispensing(NOTHING, an_entry(pharmacy_people, prescription_id), [a_line(item)])
        async with plans(tx.connection) as explained:
            everything, zone = HistoryFilter(Period(), None), ZoneInfo("UTC")
            pharmacy_id = pharmacy_people.pharmacist.organisation_id
            assert pharmacy_id is not None
            await tx[PharmacyRepository].history(pharmacy_id, everything, zone, None, 20)
            await tx[PharmacyRepository].log(prescription_id, pharmacy_id, None, 20)
            await tx[PharmacyRepository].lines_for(prescription_id, pharmacy_people.pharmacist)
            await tx[PharmacyRepository].lines_for(prescription_id, pharmacy_people.patient)
            await found(tx[ClaimRepository].to_finish_for_update(prescription_id, pharmacy_people.colleague))
    assert len(explained) == 8  # after a miss the account is checked, and the search runs twice
    assert not [plan for plan in explained if "Seq Scan on pharmacy_log" in plan]


@asynccontextmanager
async def plans(connection: Connection) -> AsyncIterator[list[str]]:
    """Yields the plans of all statements that the block sends, filled in when the block ends."""
    explained: list[str] = []
    with noted_statements() as sent:
        yield explained
    for statement in sent:
        rows = await connection.driver.fetch(f"EXPLAIN {statement.sql}", *statement.arguments)
        explained.append("\n".join(row[0] for row in rows))
