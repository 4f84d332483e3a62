"""Tests which changes owners may make to their accounts."""

from dataclasses import replace

import pytest

from server.auth.entities import AccountChange
from server.auth.rules.accounts import changed
from server.errors import ValidationFailed
from server.identity import Role
from tests.fixtures.users import a_user

DOCTOR = a_user(Role.DOCTOR, phone="1", hospital_name="St. Luke's")
PHARMACIST = a_user(Role.PHARMACIST, pharmacy_name="Rose", pharmacy_address="Quay 1")
PATIENT = a_user(Role.PATIENT, phone="1")


def refused(role: Role, change: AccountChange) -> list[tuple[str, str]]:
    with pytest.raises(ValidationFailed) as failed:
        changed(a_user(role), change)
    return [(violation.field, violation.message) for violation in failed.value.violations]


def test_absent_fields_stay_unchanged() -> None:
    for user in (DOCTOR, PHARMACIST, PATIENT):
        assert changed(user, AccountChange()) == user


def test_only_present_fields_change() -> None:
    assert changed(PATIENT, AccountChange(phone="2")) == replace(PATIENT, phone="2")
    assert changed(DOCTOR, AccountChange(hospital_name="City")) == replace(DOCTOR, hospital_name="City")
    moved = AccountChange(pharmacy_name="Lily", pharmacy_address="Quay 2")
    assert changed(PHARMACIST, moved) == replace(PHARMACIST, pharmacy_name="Lily", pharmacy_address="Quay 2")


def test_cleared_fields_are_empty() -> None:
    emptied = AccountChange(clear=frozenset({"phone", "hospitalName"}))
    assert changed(DOCTOR, emptied) == replace(DOCTOR, phone="", hospital_name="")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.PATIENT, set()),
        (Role.ADMIN, set()),
        (Role.DOCTOR, {"hospitalName"}),
        (Role.PHARMACIST, {"pharmacyName", "pharmacyAddress"}),
    ],
)
def test_a_workplace_belongs_to_its_role(role: Role, allowed: set[str]) -> None:
    change = AccountChange(hospital_name="x", pharmacy_name="x", pharmacy_address="x")
    names = ["hospitalName", "pharmacyName", "pharmacyAddress"]
    assert refused(role, change) == [(n, f"does not belong to a {role}") for n in names if n not in allowed]
    if "hospitalName" not in allowed:
        cleared = AccountChange(clear=frozenset({"hospitalName"}))
        assert refused(role, cleared) == [("hospitalName", f"does not belong to a {role}")]


def test_nothing_is_both_given_and_cleared() -> None:
    change = AccountChange(phone="2", clear=frozenset({"phone"}))
    assert refused(Role.PATIENT, change) == [("phone", "is both given and cleared")]


def test_wrong_passwords_count_only_for_a_confirmed_address() -> None:
    assert PATIENT.sign_in_name == PATIENT.email
    assert replace(PATIENT, email_confirmed=False).sign_in_name == str(PATIENT.id)
