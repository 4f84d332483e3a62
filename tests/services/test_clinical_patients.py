"""Tests patient records for doctors and patients, on a real database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from server.clinical.entities import Patient, PatientChange
from server.clinical.patient_summaries import PatientSummary
from server.clinical.rules.reference_number import new_patient_reference, normalize
from server.db.unit_of_work import UnitOfWork
from server.errors import EmailTaken, NotFound, PageTokenInvalid, ValidationFailed, VersionConflict
from server.identity import Role
from server.pagination import PageRequest
from server.patient_details import Gender, PatientDetails
from tests.fixtures.clinical import FIRST_PAGE, NO_DETAILS, Clinic, open_clinic
from tests.fixtures.clock import SettableClock
from tests.fixtures.proofs import control
from tests.fixtures.statements import noted_statements

DETAILS = PatientDetails(
    date(1990, 2, 28), Gender.OTHER, "AB-", "Here 1", "Peter", "+49 2222", "Acme", "A-1", ("Nuts",), ("Gout", "Asthma")
)


async def found(clinic: Clinic, text: str | None) -> list[str]:
    page = await clinic.patients.search(clinic.doctor, text, FIRST_PAGE)
    assert page.total_size == len(page.items)
    return [patient.full_name for patient in page.items]


async def account(clinic: Clinic, patient: Patient) -> dict[str, Any]:
    columns = "email, full_name, name_words::text AS words, phone, role, status, password_hash"
    [row] = await clinic.execute(f"SELECT {columns} FROM users WHERE id = :id", id=patient.user_id)  # noqa: S608
    return dict(row)


async def test_patient_with_address_gets_account_and_welcome_email(clinic: Clinic) -> None:
    patient = await clinic.patients.create(clinic.doctor, "Zoe@Example.org", "Zoë Zahn", "+49 1111", DETAILS)
    assert (patient.email, patient.version) == ("zoe@example.org", 1)
    opened = await account(clinic, patient)
    assert (opened["role"], opened["status"], opened["password_hash"]) == (Role.PATIENT, "active", None)
    mails = await clinic.execute("SELECT kind, details->>'invited' FROM emails WHERE recipient = 'zoe@example.org'")
    assert [tuple(mail) for mail in mails] == [("welcome", "yes")]


async def test_a_patient_without_an_address_gets_a_record_only(clinic: Clinic) -> None:
    [before] = await clinic.execute("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM emails)")
    patient = await clinic.patients.create(clinic.doctor, None, "Zoë Zahn", "+49 1111", DETAILS)
    assert (patient.user_id, patient.email) == (None, "")
    assert await clinic.execute("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM emails)") == [before]


async def test_a_record_holds_all_that_it_was_opened_with(clinic: Clinic) -> None:
    patient = await clinic.patients.create(clinic.doctor, None, "Zoë Zahn", "+49 1111", DETAILS)
    assert await clinic.patients.get(patient.id) == patient
    assert (patient.full_name, patient.phone) == ("Zoë Zahn", "+49 1111")
    for name in PatientDetails.__dataclass_fields__:
        assert getattr(patient, name) == getattr(DETAILS, name)
    assert normalize(patient.reference_number.lower()).text == patient.reference_number


async def test_taken_address_rejects_patient_and_stores_nothing(clinic: Clinic) -> None:
    [before] = await clinic.execute("SELECT count(*) FROM patients")
    with pytest.raises(EmailTaken):
        await clinic.patients.create(clinic.doctor, "PAULA@example.org", "Another Paula", "", NO_DETAILS)
    tomorrow = replace(NO_DETAILS, date_of_birth=date(2999, 1, 1))
    with pytest.raises(ValidationFailed) as refused:
        await clinic.patients.create(clinic.doctor, "unborn@example.org", "Unborn", "", tomorrow)
    assert refused.value.violations[0].field == "dateOfBirth"
    assert await clinic.execute("SELECT count(*) FROM patients") == [before]
    assert await clinic.execute("SELECT 1 FROM users WHERE email = 'unborn@example.org'") == []


async def test_a_reference_number_that_is_taken_is_drawn_again(work: UnitOfWork, clock: SettableClock) -> None:
    taken, free = (new_patient_reference(clock.clock.today()) for _ in range(2))
    drawn: Iterator[str] = iter([taken, taken, taken, free])
    clinic = await open_clinic(work, clock.clock, new_reference=lambda _day: next(drawn))
    assert [clinic.paula.reference_number, clinic.quiet.reference_number] == [taken, free]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, ["Jo Li", "Jolanda Lindqvist", "Paula Patient", "Quentin Quiet", "Zoë O'Hara"]),
        ("zoe", ["Zoë O'Hara"]),
        ("ZOË", ["Zoë O'Hara"]),
        ("hara zo", []),
        ("hara zoe", ["Zoë O'Hara"]),
        ("jo", ["Jo Li"]),
        ("jol", ["Jolanda Lindqvist"]),
        ("li", ["Jo Li"]),
        ("lin", ["Jolanda Lindqvist"]),
        ("pat", ["Paula Patient"]),
        ("tient", []),
        ("paula quiet", []),
        ("paula@EXAMPLE.org ", ["Paula Patient"]),
        ("aula@example.org", []),
        ("' | !x:*", []),
        ("!!", []),
        ("%", []),
        ("RX-20261201-00000000", []),
    ],
)
async def test_search_finds_word_prefixes_and_whole_addresses(
    clinic: Clinic, text: str | None, names: list[str]
) -> None:
    for name in ("Zoë O'Hara", "Jo Li", "Jolanda Lindqvist"):
        await clinic.patients.create(clinic.doctor, None, name, "", NO_DETAILS)
    assert await found(clinic, text) == names


async def test_a_reference_number_is_found_as_people_type_it(clinic: Clinic) -> None:
    number = clinic.quiet.reference_number
    prefix, digits, characters = number.split("-")
    typed = f" {prefix.lower()}-{digits.replace('0', 'o').replace('1', 'l')}-{characters.lower()} "
    for text in (number, typed):
        assert await found(clinic, text) == ["Quentin Quiet"]
    assert await found(clinic, number[:-2]) == []


async def test_a_search_by_name_uses_its_index(clinic: Clinic) -> None:
    await clinic.execute("SET LOCAL enable_seqscan = off")
    plan = await clinic.execute("EXPLAIN SELECT id FROM patients WHERE name_words @@ '''zoe'':*'::tsquery")
    assert "ix_patients_name_words" in str(plan)


async def test_pages_hold_each_patient_once_while_others_are_added(clinic: Clinic) -> None:
    expected = {clinic.paula.id, clinic.quiet.id}
    for _ in range(2):
        expected.add((await clinic.patients.create(clinic.doctor, None, "Ámos Same", "", NO_DETAILS)).id)
    seen: list[PatientSummary] = []
    token = ""
    while True:
        page = await clinic.patients.search(clinic.doctor, None, PageRequest(1, token))
        seen += page.items
        token = page.next_page_token
        if not token:
            break
        await clinic.patients.create(clinic.doctor, None, "Aaron Early", "", NO_DETAILS)
    assert [patient.full_name for patient in seen] == ["Ámos Same", "Ámos Same", "Paula Patient", "Quentin Quiet"]
    assert {patient.id for patient in seen} == expected


@control("S34")
async def test_a_page_token_of_another_caller_or_search_is_refused(clinic: Clinic) -> None:
    token = (await clinic.patients.search(clinic.doctor, None, PageRequest(1, ""))).next_page_token
    for caller, text in ((clinic.colleague, None), (clinic.doctor, "paula"), (clinic.doctor, "None")):
        with pytest.raises(PageTokenInvalid):
            await clinic.patients.search(caller, text, PageRequest(1, token))


async def test_list_goes_on_where_it_was_after_a_rename(clinic: Clinic) -> None:
    """The row that a token continues after may move anywhere: the others are still listed once."""
    names = [f"Mo{letter} Paged" for letter in "abcdef"]
    ids = [(await clinic.patients.create(clinic.doctor, None, name, "", NO_DETAILS)).id for name in names]
    for new_name in ("Aa Paged", "Zz Paged", "Moa Paged"):
        first = await clinic.patients.search(clinic.doctor, "paged", PageRequest(3, ""))
        last = first.items[-1]
        await clinic.patients.update(clinic.doctor, last.id, None, PatientChange(full_name=new_name))
        rest = await clinic.patients.search(clinic.doctor, "paged", PageRequest(10, first.next_page_token))
        listed = [patient.id for patient in (*first.items, *rest.items)]
        assert sorted(listed[:3] + [one for one in listed[3:] if one != last.id]) == sorted(ids)
        await clinic.patients.update(clinic.doctor, last.id, None, PatientChange(full_name=last.full_name))


@pytest.mark.parametrize(
    "change",
    [
        PatientChange(phone="+49 3333"),
        PatientChange(date_of_birth=date(1970, 1, 1)),
        PatientChange(gender=Gender.MALE),
        PatientChange(blood_type="O+"),
        PatientChange(address="There 2"),
        PatientChange(emergency_contact="Petra"),
        PatientChange(emergency_phone="+49 4444"),
        PatientChange(insurance_provider="Best"),
        PatientChange(insurance_number="B-2"),
        PatientChange(allergies=("Latex", "Wasps")),
        PatientChange(existing_conditions=("Flu",)),
        PatientChange(full_name="Zara Zahn"),
        PatientChange(clear=frozenset({"allergies", "bloodType"})),
    ],
    ids=lambda change: next(name for name in PatientChange.__dataclass_fields__ if getattr(change, name)),
)
async def test_update_stores_only_present_fields(clinic: Clinic, change: PatientChange) -> None:
    before = await clinic.patients.create(clinic.doctor, "zoe@example.org", "Zoë Zahn", "+49 1111", DETAILS)
    after = await clinic.patients.update(clinic.doctor, before.id, None, replace(change, version=1))
    given = {
        name: value
        for name in PatientChange.__dataclass_fields__
        if name not in ("clear", "version") and (value := getattr(change, name)) is not None
    }
    if change.clear:
        given = {"allergies": (), "blood_type": ""}
    assert after == replace(before, **given, version=2, updated_at=after.updated_at)
    assert await clinic.patients.get(before.id) == after


async def test_a_new_name_is_that_of_the_account_too_and_is_found(clinic: Clinic) -> None:
    await clinic.patients.update(
        clinic.doctor, clinic.paula.id, None, PatientChange(full_name="Zoë Neu", phone="+49 9999")
    )
    kept = await account(clinic, clinic.paula)
    assert (kept["full_name"], kept["words"], kept["phone"]) == ("Zoë Neu", "'neu' 'phone:9999' 'zoe'", "+49 9999")
    assert (await found(clinic, "zoe"), await found(clinic, "patient")) == (["Zoë Neu"], [])
    assert await found(clinic, None) == ["Quentin Quiet", "Zoë Neu"]


async def test_of_two_updates_of_one_version_the_second_is_refused(clinic: Clinic) -> None:
    await clinic.patients.update(clinic.doctor, clinic.paula.id, None, PatientChange(phone="+49 3333", version=1))
    with pytest.raises(VersionConflict) as refused:
        await clinic.patients.update(clinic.doctor, clinic.paula.id, None, PatientChange(phone="+49 4444", version=1))
    assert refused.value.metadata == {"version": 2}
    assert (await clinic.patients.get(clinic.paula.id)).phone == "+49 3333"


async def test_patient_reads_and_updates_own_record(clinic: Clinic) -> None:
    assert await clinic.patients.profile(clinic.paula_caller) == clinic.paula
    after = await clinic.patients.update_profile(clinic.paula_caller, PatientChange(address="There 2", version=1))
    assert after == replace(clinic.paula, address="There 2", version=2, updated_at=after.updated_at)
    assert await clinic.patients.get(clinic.quiet.id) == clinic.quiet


async def test_unknown_patient_is_not_found(clinic: Clinic) -> None:
    for attempt in (
        clinic.patients.get(uuid4()),
        clinic.patients.update(clinic.doctor, uuid4(), None, PatientChange()),
        clinic.patients.profile(clinic.doctor),
        clinic.patients.update_profile(clinic.doctor, PatientChange()),
    ):
        with pytest.raises(NotFound, match="no such patient"):
            await attempt


async def test_reads_take_one_statement_each(clinic: Clinic) -> None:
    with noted_statements() as ran:
        await clinic.patients.get(clinic.paula.id)
        await clinic.patients.profile(clinic.paula_caller)
        await clinic.patients.search(clinic.doctor, "pau", FIRST_PAGE)
    assert len(ran) == 3
