"""Tests that an update changes only the fields that are present."""

from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from server.clinical.entities import Patient, PatientChange, PatientEmailStatus
from server.clinical.patient_entities import AllergiesAsked, AllergyStatus
from server.clinical.rules.patients import CHANGEABLE, CLEARABLE, changed, changed_fields
from server.errors import ValidationFailed, VersionConflict
from server.patient_details import Gender
from tests.fixtures.cells import cells

TODAY = date(2026, 12, 1)
THEN = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Patient(
    id=uuid4(),
    user_id=uuid4(),
    reference_number="PAT-20260101-00000000",
    full_name="Paula Patient",
    email="paula@example.org",
    email_status=PatientEmailStatus.REACHABLE,
    phone="+49 1",
    date_of_birth=date(1980, 5, 17),
    gender=Gender.FEMALE,
    blood_type="A+",
    address="Here 1",
    emergency_contact="Peter",
    emergency_phone="+49 2",
    insurance_provider="Acme",
    insurance_number="A-1",
    allergies=("Penicillin",),
    existing_conditions=("Asthma",),
    version=3,
    created_at=THEN,
    updated_at=THEN,
)
NEW_VALUES: dict[str, Any] = {
    "full_name": "Pauline Patient",
    "phone": "+49 3",
    "date_of_birth": date(1981, 1, 1),
    "gender": Gender.OTHER,
    "blood_type": "O-",
    "address": "There 2",
    "emergency_contact": "Petra",
    "emergency_phone": "+49 4",
    "insurance_provider": "Best",
    "insurance_number": "B-2",
    "allergies": ("Nuts", "Latex"),
    "existing_conditions": ("Gout",),
    "full_emails": True,
}


def difference(patient: Patient) -> dict[str, Any]:
    before = asdict(FULL)
    return {name: value for name, value in asdict(patient).items() if value != before[name]}


def test_every_field_of_a_change_is_tried_here() -> None:
    named = {field.name for field in fields(PatientChange)} - {"clear", "version", "no_known_allergies"}
    assert named == set(NEW_VALUES) == set(CHANGEABLE)


@cells(("field", "value"), NEW_VALUES.items())
def test_a_field_that_is_present_changes_alone(field: str, value: Any) -> None:
    assert difference(changed(FULL, PatientChange(**{field: value}, version=3), TODAY)) == {field: value}


@cells(("json_name", "field"), CLEARABLE.items())
def test_a_field_that_is_cleared_is_emptied_alone(json_name: str, field: str) -> None:
    empty = () if field in ("allergies", "existing_conditions") else ""
    assert difference(changed(FULL, PatientChange(clear=frozenset({json_name}), version=3), TODAY)) == {field: empty}


@cells(
    ("change", "named"),
    [
        (PatientChange(allergies=("Nuts",)), ()),
        (PatientChange(existing_conditions=("Asthma in spring",)), ()),
        (PatientChange(clear=frozenset({"allergies"})), ()),
        (PatientChange(clear=frozenset({"existingConditions"})), ()),
        (PatientChange(allergies=("Nuts", "Penicillin")), ("allergies",)),
        (PatientChange(existing_conditions=("Asthma", "Gout"), blood_type="O-"), ("bloodType", "existingConditions")),
        (PatientChange(allergies=("Penicillin",), phone="+49 9"), ("phone",)),
    ],
)
def test_an_entry_is_lost_only_with_the_version_read(change: PatientChange, named: tuple[str, ...]) -> None:
    if named:
        assert changed_fields(FULL, changed(FULL, change, TODAY)) == named
        return
    with pytest.raises(ValidationFailed) as refused:
        changed(FULL, change, TODAY)
    assert [violation.field for violation in refused.value.violations] == ["version"]
    assert changed(FULL, replace(change, version=FULL.version), TODAY) != FULL


ASKED = AllergiesAsked(uuid4(), "Dana Doctor", THEN)
AGAIN = AllergiesAsked(uuid4(), "", datetime(2026, 12, 1, tzinfo=UTC))
UNKNOWN = replace(FULL, allergies=())
NONE_KNOWN = replace(UNKNOWN, allergies_asked=ASKED)
CLEAR = frozenset({"allergies"})


@cells(
    ("before", "change", "status", "named"),
    [
        (UNKNOWN, PatientChange(no_known_allergies=True), AllergyStatus.NONE_KNOWN, ("allergyStatus",)),
        (UNKNOWN, PatientChange(no_known_allergies=False), AllergyStatus.NOT_RECORDED, ()),
        (UNKNOWN, PatientChange(allergies=("Nuts",)), AllergyStatus.LISTED, ("allergies",)),
        (NONE_KNOWN, PatientChange(phone="+49 9"), AllergyStatus.NONE_KNOWN, ("phone",)),
        (NONE_KNOWN, PatientChange(no_known_allergies=True), AllergyStatus.NONE_KNOWN, ("allergyStatus",)),
        (NONE_KNOWN, PatientChange(no_known_allergies=False), AllergyStatus.NOT_RECORDED, ("allergyStatus",)),
        (NONE_KNOWN, PatientChange(clear=CLEAR), AllergyStatus.NOT_RECORDED, ("allergyStatus",)),
        (NONE_KNOWN, PatientChange(allergies=("Nuts",)), AllergyStatus.LISTED, ("allergies",)),
        (FULL, PatientChange(clear=CLEAR, version=3), AllergyStatus.NOT_RECORDED, ("allergies",)),
        (
            FULL,
            PatientChange(clear=CLEAR, no_known_allergies=True, version=3),
            AllergyStatus.NONE_KNOWN,
            ("allergies",),
        ),
        (FULL, PatientChange(no_known_allergies=False), AllergyStatus.LISTED, ()),
    ],
)
def test_a_change_leads_to_the_allergy_status(
    before: Patient, change: PatientChange, status: AllergyStatus, named: tuple[str, ...]
) -> None:
    after = changed(before, change, TODAY, AGAIN)
    assert (after.allergy_status, changed_fields(before, after)) == (status, named)
    if change.no_known_allergies:
        assert after.allergies_asked == AGAIN


@cells(
    ("before", "change"),
    [
        (FULL, PatientChange(no_known_allergies=True)),
        (FULL, PatientChange(no_known_allergies=True, version=3)),
        (UNKNOWN, PatientChange(no_known_allergies=True, allergies=("Nuts",))),
    ],
)
def test_none_known_beside_listed_allergies_is_refused(before: Patient, change: PatientChange) -> None:
    with pytest.raises(ValidationFailed) as refused:
        changed(before, change, TODAY, AGAIN)
    assert [violation.field for violation in refused.value.violations] == ["noKnownAllergies"]


def test_none_known_instead_of_a_list_needs_the_version() -> None:
    with pytest.raises(ValidationFailed) as refused:
        changed(FULL, PatientChange(clear=CLEAR, no_known_allergies=True), TODAY, AGAIN)
    assert [violation.field for violation in refused.value.violations] == ["version"]


def test_an_empty_change_changes_nothing() -> None:
    assert changed(FULL, PatientChange(), TODAY) == FULL


@cells(("json_name", "field"), CLEARABLE.items())
def test_a_field_cannot_be_both_given_and_cleared(json_name: str, field: str) -> None:
    change = PatientChange(**{field: NEW_VALUES[field]}, clear=frozenset({json_name}))
    with pytest.raises(ValidationFailed) as refused:
        changed(FULL, change, TODAY)
    assert [violation.field for violation in refused.value.violations] == [json_name]


def test_the_version_that_the_caller_has_seen_is_let_through() -> None:
    assert changed(FULL, PatientChange(phone="+49 3", version=3), TODAY).phone == "+49 3"


def test_an_old_version_is_refused_with_the_present_one() -> None:
    with pytest.raises(VersionConflict) as refused:
        changed(FULL, PatientChange(phone="+49 3", version=2), TODAY)
    assert refused.value.metadata == {"version": 3}


@pytest.mark.parametrize("born", [date(1899, 12, 31), date(2026, 12, 2)])
def test_a_date_of_birth_lies_between_1900_and_today(born: date) -> None:
    with pytest.raises(ValidationFailed) as refused:
        changed(FULL, PatientChange(date_of_birth=born), TODAY)
    assert refused.value.violations[0].field == "dateOfBirth"


@pytest.mark.parametrize("born", [date(1900, 1, 1), TODAY])
def test_the_ends_of_that_time_are_allowed(born: date) -> None:
    assert changed(FULL, PatientChange(date_of_birth=born), TODAY).date_of_birth == born
