"""Tests lookups by number on a real database: results, log entries, and the cost of a miss."""

import pytest
from sqlalchemy import func, text

from server.clinical.entities import PrescriptionStatus
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    ReferenceNumberInvalid,
)
from server.pharmacy.entities import HistoryFilter, LookupResult, PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.fixtures.pharmacy_steps import ENDS, FIRST_PAGE, alter, prescribe
from tests.fixtures.proofs import control

S = PrescriptionStatus
A = PharmacyAction
EVERYTHING = HistoryFilter(Period(), None)


async def test_lookup_accepts_typed_number_and_counts_as_scan(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    (found,) = (await pharmacy.look_up(pharmacy_people.pharmacist, f" {written.number.lower()} ")).found
    assert (found.prescription.id, found.prescription.status) == (written.id, S.SCANNED)
    assert found.can_dispense
    assert (await pharmacy.validate(pharmacy_people.pharmacist, written.id, "")).prescription.status is S.VALIDATED


async def test_lookup_by_reference_finds_open_newest_first_and_logs(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    older = await prescribe(work, pharmacy_people, created_at=text("now() - interval '2 days'"))
    newer = await prescribe(work, pharmacy_people, valid_from=func.current_date(), starts_at=func.now())
    for changes in (*(ends for ends, _ in ENDS), "valid_from = CURRENT_DATE, starts_at = now() + interval '1 second'"):
        await alter(work, await prescribe(work, pharmacy_people), changes)
    found = (await pharmacy.look_up(pharmacy_people.pharmacist, pharmacy_people.reference_number)).found
    assert [one.prescription.id for one in found] == [newer.id, older.id]
    assert {one.prescription.status for one in found} == {S.SCANNED}
    history = await pharmacy.history(pharmacy_people.pharmacist, EVERYTHING, FIRST_PAGE)
    assert {entry.prescription_id for entry in history.items} == {older.id, newer.id}
    assert {entry.action for entry in history.items} == {A.LOOKUP}


@pytest.mark.parametrize(("number", "shown", "more"), [(50, 50, False), (51, 50, True)])
async def test_lookup_states_whether_a_patient_has_more_than_50(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, number: int, shown: int, more: bool
) -> None:
    for _ in range(number):
        await prescribe(work, pharmacy_people)
    typed = pharmacy_people.reference_number.replace("-", " ").lower()
    result = await pharmacy.look_up(pharmacy_people.pharmacist, typed)
    assert (len(result.found), result.has_more) == (shown, more)
    assert result.reference_number == pharmacy_people.reference_number


@control("S48")
async def test_patient_without_open_prescription_is_no_miss(
    work: UnitOfWork, pharmacy_people: PharmacyPeople, pharmacy: PharmacyService
) -> None:
    for _ in range(6):
        result = await pharmacy.look_up(pharmacy_people.pharmacist, pharmacy_people.reference_number)
        assert result == LookupResult(pharmacy_people.reference_number, (), has_more=False)
    async with work.read() as tx:
        rows = await tx.connection.rows(text("SELECT object_kind, object_id, patient_ids FROM audit_records"))
        assert list(map(tuple, rows)) == [("patient", pharmacy_people.patient_id, [pharmacy_people.patient_id])] * 6


async def test_a_text_that_is_no_number_is_refused_without_a_miss(
    pharmacy_people: PharmacyPeople, pharmacy: PharmacyService, written: Written
) -> None:
    for _ in range(6):
        with pytest.raises(ReferenceNumberInvalid):
            await pharmacy.look_up(pharmacy_people.pharmacist, "RX-20261122-00000000")
    assert await pharmacy.look_up(pharmacy_people.pharmacist, written.number)
