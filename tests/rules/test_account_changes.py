"""Tests which changes owners may make to their accounts."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.auth.entities import AccountChange, User, UserStatus
from server.auth.rules.accounts import changed, changed_fields, loses_verification
from server.auth.rules.organisations import match_key, workplace_of
from server.errors import ValidationFailed
from server.identity import Role
from tests.fixtures.users import a_user

DOCTOR = a_user(Role.DOCTOR, phone="1", hospital_name="St. Luke's")
PHARMACIST = a_user(Role.PHARMACIST, pharmacy_name="Rose", pharmacy_address="Quay 1")
PATIENT = a_user(Role.PATIENT, phone="1")

PLACES = st.sampled_from(["", "Rose", " ROSE", "\uff32\uff4f\uff53\uff45", "Lily", "R\u043ese"])
USERS = st.builds(
    lambda role, status, hospital, pharmacy, address, phone: a_user(
        role,
        status=UserStatus.ACTIVE if role in (Role.PATIENT, Role.ADMIN) else status,
        hospital_name=hospital if role is Role.DOCTOR else "",
        pharmacy_name=pharmacy if role is Role.PHARMACIST else "",
        pharmacy_address=address if role is Role.PHARMACIST else "",
        phone=phone,
    ),
    st.sampled_from(Role),
    st.sampled_from(UserStatus),
    PLACES,
    PLACES,
    PLACES,
    st.sampled_from(["", "1", "2"]),
)
FIELDS = ("phone", "hospital_name", "pharmacy_name", "pharmacy_address")
CHANGES = st.builds(
    AccountChange,
    phone=st.none() | st.just("2"),
    hospital_name=st.none() | PLACES,
    pharmacy_name=st.none() | PLACES,
    pharmacy_address=st.none() | PLACES,
)


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


def place(user: User) -> str | None:
    workplace = workplace_of(user)
    return None if workplace is None else match_key(workplace.name, workplace.address)


@settings(deadline=None)
@given(USERS, CHANGES)
def test_only_another_workplace_loses_the_verification(user: User, change: AccountChange) -> None:
    try:
        after = changed(user, change)
    except ValidationFailed:
        return
    assert loses_verification(user, after) == (user.status is UserStatus.ACTIVE and place(user) != place(after))
    assert not loses_verification(user, replace(user, phone="3", full_name="Another Name"))
    named = set(changed_fields(user, after).split(", ")) - {""}
    assert named == {name for name in FIELDS if getattr(user, name) != getattr(after, name)}


@pytest.mark.parametrize(
    ("user", "change", "lost"),
    [
        (DOCTOR, AccountChange(hospital_name="City"), True),
        (DOCTOR, AccountChange(hospital_name=" ST. LUKE'S"), False),
        (DOCTOR, AccountChange(clear=frozenset({"hospitalName"})), True),
        (DOCTOR, AccountChange(phone="2"), False),
        (replace(DOCTOR, status=UserStatus.UNVERIFIED), AccountChange(hospital_name="City"), False),
        (PHARMACIST, AccountChange(pharmacy_name="Lily"), True),
        (PHARMACIST, AccountChange(pharmacy_name="R\u043ese"), True),
        (PHARMACIST, AccountChange(pharmacy_address="Quay 2"), True),
        (PHARMACIST, AccountChange(pharmacy_address="quay  1"), False),
        (PATIENT, AccountChange(phone="2"), False),
    ],
)
def test_each_change_has_its_consequence(user: User, change: AccountChange, lost: bool) -> None:
    assert loses_verification(user, changed(user, change)) is lost
