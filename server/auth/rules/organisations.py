"""Rules of organisations: which free text of a workplace names which one, how one changes, and who administers it."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from server.auth.entities import User
from server.auth.organisation_entities import Organisation, OrganisationChange, OrganisationKind, Workplace
from server.errors import OrganisationClosed, ValidationFailed
from server.identity import Role
from server.partial_update import changed_values

CHANGEABLE: Final = ("name", "register_number", "address", "phone")
"""The fields of an organisation that an admin may change."""
CLEARABLE: Final[Mapping[str, str]] = {"registerNumber": "register_number", "address": "address", "phone": "phone"}
"""The fields that an admin may clear, by their JSON names."""


def match_key(name: str, address: str) -> str:
    """Returns the folded name and address; organisations of one kind with equal keys are the same.

    Folds Unicode form KC, case and white space. Pharmacies of one name at two addresses differ, because the members of
    a pharmacy see what it dispensed. Migration 0025 contains a copy of this rule.
    """
    return f"{fold(name)}\n{fold(address)}"


def workplace_of(user: User) -> Workplace | None:
    """Returns the workplace that an account states as free text; None if it states none."""
    if user.role is Role.DOCTOR and user.hospital_name:
        return Workplace(OrganisationKind.HOSPITAL, user.hospital_name, "")
    if user.role is Role.PHARMACIST and user.pharmacy_name:
        return Workplace(OrganisationKind.PHARMACY, user.pharmacy_name, user.pharmacy_address)
    return None


def changed(organisation: Organisation, change: OrganisationChange) -> Organisation:
    """Returns an open organisation after the change.

    Raises OrganisationClosed, and ValidationFailed for fields that are both given and cleared.
    """
    check_open(organisation)
    values, conflicts = changed_values(change, CHANGEABLE, CLEARABLE)
    if conflicts:
        raise ValidationFailed(violations=conflicts)
    return replace(organisation, **values)


def check_open(organisation: Organisation) -> None:
    """Refuses an organisation that was closed. Raises OrganisationClosed."""
    if organisation.closed_at is not None:
        raise OrganisationClosed()


def fold(text: str) -> str:
    """Returns a text in Unicode form KC without differences of case and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
