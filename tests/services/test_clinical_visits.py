"""Tests medical visits for doctors, on a real database."""

from dataclasses import asdict, replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from server.clinical.entities import NewVisit, PatientChange, VisitType, VitalSigns
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.errors import NotFound, PageTokenInvalid, ValidationFailed
from server.pagination import PageRequest
from tests.fixtures.clinical import FIRST_PAGE, Clinic, open_clinic
from tests.fixtures.clock import SettableClock
from tests.fixtures.statements import noted_statements

NO_PERIOD = Period()
SIGNS = VitalSigns("120/80", 61, 36.6, 70.5, 171.0)


def a_visit(clinic: Clinic, day: date = date(2026, 1, 2)) -> NewVisit:
    return NewVisit(
        clinic.paula.id, day, VisitType.FOLLOW_UP, "Cough", "dry", "Bronchitis", "none", "rest", "Field Hospital", SIGNS
    )


async def days(clinic: Clinic, patient_id: UUID | None, period: Period) -> list[int]:
    page = await clinic.visits.list_own(clinic.doctor, patient_id, period, FIRST_PAGE)
    assert page.total_size == len(page.items)
    return [visit.visit_date.day for visit in page.items]


async def test_a_visit_is_recorded_as_it_was_described(clinic: Clinic) -> None:
    new = a_visit(clinic)
    visit = await clinic.visits.record(clinic.doctor, new)
    stored = asdict(visit)
    assert {name: stored[name] for name in asdict(new)} == asdict(new)
    assert (visit.patient_name, visit.doctor_name) == ("Paula Patient", "Dana Doctor")
    assert (await clinic.visits.list_own(clinic.doctor, None, NO_PERIOD, FIRST_PAGE)).items == (visit,)


async def test_visit_without_place_uses_the_doctors_hospital(clinic: Clinic) -> None:
    visit = await clinic.visits.record(clinic.doctor, replace(a_visit(clinic), hospital_name=""))
    assert visit.hospital_name == "City Hospital"


@pytest.mark.parametrize("signs", [None, VitalSigns(None, None, None, None, None)])
async def test_where_nothing_was_measured_there_are_no_vital_signs(clinic: Clinic, signs: VitalSigns | None) -> None:
    visit = await clinic.visits.record(clinic.doctor, replace(a_visit(clinic), vital_signs=signs))
    assert visit.vital_signs is None


async def test_one_measurement_is_enough(clinic: Clinic) -> None:
    signs = VitalSigns(None, None, 0.1 + 36.5, None, None)
    assert (await clinic.visits.record(clinic.doctor, replace(a_visit(clinic), vital_signs=signs))).vital_signs == signs


@pytest.mark.parametrize("day", [date(1899, 12, 31), date(2026, 6, 2)])
async def test_a_visit_took_place_between_1900_and_today(work: UnitOfWork, clock: SettableClock, day: date) -> None:
    clock.moment = clock.moment.replace(year=2026, month=6, day=1)
    clinic = await open_clinic(work, clock.clock)
    with pytest.raises(ValidationFailed) as refused:
        await clinic.visits.record(clinic.doctor, a_visit(clinic, day))
    assert refused.value.violations[0].field == "visitDate"
    await clinic.visits.record(clinic.doctor, a_visit(clinic, date(2026, 6, 1)))


async def test_visit_before_birth_is_refused_and_not_stored(clinic: Clinic) -> None:
    born = date(2020, 5, 17)
    await clinic.patients.update(clinic.doctor, clinic.paula.id, None, PatientChange(date_of_birth=born))
    with pytest.raises(ValidationFailed) as refused:
        await clinic.visits.record(clinic.doctor, a_visit(clinic, born - timedelta(days=1)))
    assert [violation.field for violation in refused.value.violations] == ["visitDate"]
    assert await days(clinic, None, NO_PERIOD) == []
    await clinic.visits.record(clinic.doctor, a_visit(clinic, born))


async def test_a_visit_needs_a_patient(clinic: Clinic) -> None:
    with pytest.raises(NotFound, match="no such patient"):
        await clinic.visits.record(clinic.doctor, replace(a_visit(clinic), patient_id=uuid4()))


async def test_list_visits_returns_own_newest_first_with_filters(clinic: Clinic) -> None:
    for day in (2, 4, 3):
        await clinic.visits.record(clinic.doctor, a_visit(clinic, date(2026, 1, day)))
    await clinic.visits.record(clinic.doctor, replace(a_visit(clinic, date(2026, 1, 5)), patient_id=clinic.quiet.id))
    await clinic.visits.record(clinic.colleague, a_visit(clinic, date(2026, 1, 6)))
    assert await days(clinic, None, NO_PERIOD) == [5, 4, 3, 2]
    assert await days(clinic, clinic.paula.id, NO_PERIOD) == [4, 3, 2]
    assert await days(clinic, None, Period(date(2026, 1, 3), date(2026, 1, 4))) == [4, 3]
    assert await days(clinic, uuid4(), NO_PERIOD) == []
    with pytest.raises(ValidationFailed):
        await days(clinic, None, Period(date(2026, 1, 4), date(2026, 1, 3)))


async def test_pages_hold_every_visit_once_while_others_are_recorded(clinic: Clinic) -> None:
    recorded = {
        (await clinic.visits.record(clinic.doctor, a_visit(clinic, date(2026, 1, 2 + n // 2)))).id for n in range(5)
    }
    seen: list[UUID] = []
    token = ""
    while True:
        page = await clinic.visits.list_own(clinic.doctor, None, NO_PERIOD, PageRequest(2, token))
        seen += [visit.id for visit in page.items]
        token = page.next_page_token
        if not token:
            break
        await clinic.visits.record(clinic.doctor, a_visit(clinic, date(2026, 1, 20)))
    assert len(seen) == 5
    assert set(seen) == recorded


async def test_a_page_token_of_another_caller_or_filter_is_refused(clinic: Clinic) -> None:
    for _ in range(2):
        await clinic.visits.record(clinic.doctor, a_visit(clinic))
    token = (await clinic.visits.list_own(clinic.doctor, None, NO_PERIOD, PageRequest(1, ""))).next_page_token
    page = PageRequest(1, token)
    for attempt in (
        clinic.visits.list_own(clinic.colleague, None, NO_PERIOD, page),
        clinic.visits.list_own(clinic.doctor, clinic.paula.id, NO_PERIOD, page),
        clinic.visits.list_own(clinic.doctor, None, Period(date(2026, 1, 1)), page),
    ):
        with pytest.raises(PageTokenInvalid):
            await attempt


async def test_recording_takes_three_statements_and_a_list_one(clinic: Clinic) -> None:
    with noted_statements() as recording:
        await clinic.visits.record(clinic.doctor, a_visit(clinic))
    with noted_statements() as listing:
        await clinic.visits.list_own(clinic.doctor, None, NO_PERIOD, FIRST_PAGE)
    assert (len(recording), len(listing)) == (3, 1)
