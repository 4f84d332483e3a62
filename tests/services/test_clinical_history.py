"""Tests medical histories: their contents, and when the patient may read them."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from server.api.clinical import history_mapping
from server.auth.entities import SignInOrigin
from server.auth.rules.lifetimes import Lifetime
from server.auth.storage.sessions import SessionRepository
from server.clinical.entities import HistoryEntry, NewVisit, PatientChange, VisitType
from server.clinical.services.histories import HistoryService
from server.db.identifiers import new_id
from server.errors import NotFound, OtpInvalid, OtpRequired, PageTokenInvalid, Unauthenticated
from server.identity import Caller
from server.pagination import PageRequest
from tests.fixtures.auth import SEAL
from tests.fixtures.clinical import FIRST_PAGE, TOKENS, Clinic
from tests.fixtures.statements import noted_statements

DAY = timedelta(days=1)


async def a_session(clinic: Clinic, lifetime: timedelta = DAY) -> Caller:
    """Returns the patient Paula in a session of her own."""
    caller = replace(clinic.paula_caller, session_id=new_id())
    async with clinic.work.begin() as tx:
        await tx[SessionRepository].open(
            caller.session_id,
            caller.user_id,
            caller.session_id.bytes,
            Lifetime(lifetime, lifetime),
            SignInOrigin("", ""),
        )
    return caller


async def mailed_code(clinic: Clinic, caller: Caller) -> str:
    await clinic.histories.request_access(caller)
    rows = await clinic.execute("SELECT sealed_code FROM emails WHERE kind = 'history_code' ORDER BY id")
    return SEAL.open(rows[-1][0], caller.user_id)


async def opened(clinic: Clinic, lifetime: timedelta = DAY) -> Caller:
    caller = await a_session(clinic, lifetime)
    await clinic.histories.confirm_access(caller, await mailed_code(clinic, caller))
    return caller


async def is_open(clinic: Clinic, caller: Caller) -> bool:
    try:
        await clinic.histories.own(caller, FIRST_PAGE)
    except OtpRequired:
        return False
    return True


async def visit(clinic: Clinic, day: date, by: Caller | None = None) -> UUID:
    new = NewVisit(clinic.paula.id, day, VisitType.CONSULTATION, "Cough at night", "", "", "", "", "", None)
    return (await clinic.visits.record(by or clinic.doctor, new)).id


def ids(entries: tuple[HistoryEntry, ...]) -> list[UUID]:
    return [entry.id for entry in entries]


async def test_history_lists_entries_of_all_doctors_newest_first(clinic: Clinic) -> None:
    old = await visit(clinic, date(2026, 1, 2), by=clinic.colleague)
    first, second = await clinic.prescribe(), await clinic.prescribe()
    today = clinic.clock.today()
    last = await visit(clinic, today)
    await clinic.prescribe(clinic.quiet)
    page = await clinic.histories.of_patient(clinic.colleague, clinic.paula.id, FIRST_PAGE)
    assert ids(page.items) == [last, second.id, first.id, old]
    assert [entry.day for entry in page.items] == [today, today, today, date(2026, 1, 2)]
    assert page.total_size == 4
    assert [entry.visit is None for entry in page.items] == [False, True, True, False]
    assert page.items[1].prescription == await clinic.prescriptions.get(clinic.doctor, second.id)


async def test_patient_reads_the_same_history_with_conditions(clinic: Clinic) -> None:
    await visit(clinic, date(2026, 1, 2))
    await clinic.prescribe()
    await clinic.patients.update(clinic.doctor, clinic.paula.id, None, PatientChange(existing_conditions=("Asthma",)))
    history = await clinic.histories.own(await opened(clinic), FIRST_PAGE)
    doctors = await clinic.histories.of_patient(clinic.doctor, clinic.paula.id, FIRST_PAGE)
    assert ids(history.entries.items) == ids(doctors.items)
    assert history.existing_conditions == ("Asthma",)


async def test_history_pages_hold_each_entry_once_and_bind_tokens(clinic: Clinic) -> None:
    for day in (3, 3, 3, 4):
        await visit(clinic, date(2026, 1, day))
    await clinic.prescribe()
    whole = await clinic.histories.of_patient(clinic.doctor, clinic.paula.id, FIRST_PAGE)
    seen, token = [], ""
    for _ in range(3):
        page = await clinic.histories.of_patient(clinic.doctor, clinic.paula.id, PageRequest(2, token))
        assert page.total_size == 5
        seen += ids(page.items)
        token = page.next_page_token or token
    assert seen == ids(whole.items)
    patient = await opened(clinic)
    own = (await clinic.histories.own(patient, PageRequest(2, ""))).entries.next_page_token
    strangers: list[Any] = [
        clinic.histories.of_patient(clinic.colleague, clinic.paula.id, PageRequest(2, token)),
        clinic.histories.of_patient(clinic.doctor, clinic.quiet.id, PageRequest(2, token)),
        clinic.histories.of_patient(clinic.doctor, clinic.paula.id, PageRequest(2, own)),
        clinic.histories.own(patient, PageRequest(2, token)),
    ]
    for call in strangers:
        with pytest.raises(PageTokenInvalid):
            await call


async def test_a_page_costs_the_same_statements_however_long_it_is(clinic: Clinic) -> None:
    for count in (1, 6):
        for _ in range(count):
            await visit(clinic, date(2026, 1, 2))
            await clinic.prescribe()
        with noted_statements() as ran:
            await clinic.histories.of_patient(clinic.doctor, clinic.paula.id, FIRST_PAGE)
        assert len(ran) == 4


async def test_the_day_of_a_prescription_is_the_hospitals(clinic: Clinic) -> None:
    written = await clinic.prescribe(created_at="'2026-03-01 23:30Z'")
    for zone, day in (("UTC", date(2026, 3, 1)), ("Asia/Tokyo", date(2026, 3, 2))):
        clock = replace(clinic.clock, zone=ZoneInfo(zone))
        histories = HistoryService(clinic.work, clock, clinic.histories._codes, TOKENS)
        (entry,) = (await histories.of_patient(clinic.doctor, clinic.paula.id, FIRST_PAGE)).items
        assert (entry.id, entry.day) == (written.id, day)


async def test_history_of_unknown_patient_is_not_found(clinic: Clinic) -> None:
    with pytest.raises(NotFound):
        await clinic.histories.of_patient(clinic.doctor, new_id(), FIRST_PAGE)


async def test_notes_are_visible_only_to_their_author(clinic: Clinic) -> None:
    await clinic.prescribe()
    page = await clinic.histories.of_patient(clinic.doctor, clinic.paula.id, FIRST_PAGE)
    for reader, notes in ((clinic.doctor, "difficult"), (clinic.colleague, "")):
        (entry,) = history_mapping.patient_history_response(page, reader.user_id).entries
        assert (entry.prescription.doctor_notes, entry.prescription.diagnosis) == (notes, "Bronchitis")
        assert not entry.HasField("visit")
    own = history_mapping.own_history_response(await clinic.histories.own(await opened(clinic), FIRST_PAGE))
    assert "difficult" not in str(own)
    assert own.entries[0].prescription.diagnosis == "Bronchitis"


async def test_history_is_open_ten_minutes_to_session_with_code(clinic: Clinic) -> None:
    here, elsewhere = await a_session(clinic), await a_session(clinic)
    code = await mailed_code(clinic, here)
    assert not await is_open(clinic, here)
    until = await clinic.histories.confirm_access(here, code)
    assert (await clinic.execute("SELECT now() + interval '10 min'"))[0][0] == until
    assert await is_open(clinic, here)
    assert not await is_open(clinic, elsewhere)
    for passed, still in (("9 min 59 s", True), ("2 s", False)):
        shorter = "UPDATE sessions SET history_until = history_until - CAST(:passed AS text)::interval"
        await clinic.execute(shorter, passed=passed)
        assert await is_open(clinic, here) is still


async def test_with_its_session_a_grant_ends(clinic: Clinic) -> None:
    revoked, over = await opened(clinic), await opened(clinic)
    async with clinic.work.begin() as tx:
        await tx[SessionRepository].revoke(revoked.session_id)
    assert not await is_open(clinic, revoked)
    await clinic.execute("UPDATE sessions SET expires_at = now() WHERE id = :id", id=over.session_id)
    assert not await is_open(clinic, over)


async def test_a_grant_never_outlives_its_session(clinic: Clinic) -> None:
    caller = await a_session(clinic, timedelta(minutes=3))
    until = await clinic.histories.confirm_access(caller, await mailed_code(clinic, caller))
    assert (await clinic.execute("SELECT now() + interval '3 min'"))[0][0] == until


async def test_a_session_that_ended_meanwhile_opens_nothing(clinic: Clinic) -> None:
    caller = await a_session(clinic)
    code = await mailed_code(clinic, caller)
    async with clinic.work.begin() as tx:
        await tx[SessionRepository].revoke(caller.session_id)
    with pytest.raises(Unauthenticated):
        await clinic.histories.confirm_access(caller, code)


async def test_a_wrong_code_opens_nothing_and_counts(clinic: Clinic) -> None:
    caller = await a_session(clinic)
    code = await mailed_code(clinic, caller)
    for _ in range(5):
        with pytest.raises(OtpInvalid):
            await clinic.histories.confirm_access(caller, f"{(int(code) + 1) % 10**6:06d}")
    with pytest.raises(OtpInvalid):
        await clinic.histories.confirm_access(caller, code)
    assert not await is_open(clinic, caller)


async def test_code_email_goes_to_patient_with_its_expiry(clinic: Clinic) -> None:
    caller = await a_session(clinic)
    expires_at = await clinic.histories.request_access(caller)
    rows = await clinic.execute("SELECT recipient, expires_at FROM emails WHERE kind = 'history_code'")
    assert [tuple(row) for row in rows] == [("paula@example.org", expires_at)]
