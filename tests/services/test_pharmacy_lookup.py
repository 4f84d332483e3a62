"""Looking up by number on the real database: what is found, what is logged, what a miss costs."""

import pytest
from sqlalchemy import text

from server.clinical.entities import PrescriptionStatus
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    ReferenceNumberInvalid,
)
from server.pharmacy.entities import HistoryFilter, PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.fixtures.pharmacy_steps import ENDS, FIRST_PAGE, alter, prescribe

S = PrescriptionStatus
A = PharmacyAction
EVERYTHING = HistoryFilter(Period(), None)


async def test_a_number_is_found_as_people_type_it_and_the_lookup_counts_as_seen(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    (found,) = await pharmacy.look_up(pharmacy_people.pharmacist, f" {written.number.lower()} ")
    assert (found.prescription.id, found.prescription.status) == (written.id, S.SCANNED)
    assert found.can_dispense
    assert (await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")).prescription.status is S.VALIDATED


async def test_a_reference_finds_what_is_open_newest_first_and_logs_each(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    older = await prescribe(work, pharmacy_people, created_at=text("now() - interval '2 days'"))
    newer = await prescribe(work, pharmacy_people)
    for changes, _ in ENDS:
        await alter(work, await prescribe(work, pharmacy_people), changes)
    found = await pharmacy.look_up(pharmacy_people.pharmacist, pharmacy_people.reference_number)
    assert [one.prescription.id for one in found] == [newer.id, older.id]
    assert {one.prescription.status for one in found} == {S.SCANNED}
    history = await pharmacy.history(pharmacy_people.pharmacist, EVERYTHING, FIRST_PAGE)
    assert {entry.prescription_id for entry in history.items} == {older.id, newer.id}
    assert {entry.action for entry in history.items} == {A.LOOKUP}


async def test_s48_a_patient_with_nothing_open_is_no_miss_and_the_record_names_him(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    for _ in range(6):
        assert await pharmacy.look_up(pharmacy_people.pharmacist, pharmacy_people.reference_number) == ()
    async with work.read() as tx:
        rows = await tx.connection.execute(text("SELECT object_kind, object_id, patient_ids FROM audit_records"))
        assert rows.all() == [("patient", pharmacy_people.patient_id, [pharmacy_people.patient_id])] * 6


async def test_a_text_that_is_no_number_is_refused_without_a_miss(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    for _ in range(6):
        with pytest.raises(ReferenceNumberInvalid):
            await pharmacy.look_up(pharmacy_people.pharmacist, "RX-20261122-00000000")
    assert await pharmacy.look_up(pharmacy_people.pharmacist, written.number)
