"""Tests of the rule by which the free text of a workplace names an organisation."""

import pytest

from server.auth.entities import User
from server.auth.organisation_entities import OrganisationKind, Workplace
from server.auth.rules.organisations import match_key, workplace_of
from server.identity import Role
from tests.fixtures.users import a_user


@pytest.mark.parametrize("text", ["Rose Pharmacy", "  rose\tPHARMACY ", "Ｒｏｓｅ Pharmacy", "ROSE  Pharmacy\n"])
def test_texts_that_differ_in_form_have_one_key(text: str) -> None:
    assert match_key(text, "Quay 1") == match_key("Rose Pharmacy", "quay  1")


def test_name_and_address_both_make_the_key() -> None:
    keys = [match_key(*text) for text in (("Rose", ""), ("Rose", "Quay 1"), ("Rose", "Quay 2"), ("Rose Quay 1", ""))]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("user", "workplace"),
    [
        (a_user(Role.DOCTOR, hospital_name="Charité"), Workplace(OrganisationKind.HOSPITAL, "Charité", "")),
        (
            a_user(Role.PHARMACIST, pharmacy_name="Rose", pharmacy_address="Quay 1"),
            Workplace(OrganisationKind.PHARMACY, "Rose", "Quay 1"),
        ),
        (a_user(Role.DOCTOR), None),
        (a_user(Role.PHARMACIST), None),
        (a_user(Role.PATIENT, hospital_name="Charité", pharmacy_name="Rose"), None),
        (a_user(Role.ADMIN), None),
    ],
)
def test_only_staff_with_a_text_have_a_workplace(user: User, workplace: Workplace | None) -> None:
    assert workplace_of(user) == workplace
