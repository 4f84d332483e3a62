"""Rules of organisations: which free text of a workplace names which organisation."""

import unicodedata

from server.auth.entities import User
from server.auth.organisation_entities import OrganisationKind, Workplace
from server.identity import Role


def match_key(name: str, address: str) -> str:
    """Returns the folded name and address; organisations of one kind with equal keys are the same.

    Folds Unicode form KC, case and white space. Pharmacies of one name at two addresses differ, because the members of
    a pharmacy see what it dispensed. Migration 0025 contains a copy of this rule.
    """
    return f"{_fold(name)}\n{_fold(address)}"


def workplace_of(user: User) -> Workplace | None:
    """Returns the workplace that an account states as free text; None if it states none."""
    if user.role is Role.DOCTOR and user.hospital_name:
        return Workplace(OrganisationKind.HOSPITAL, user.hospital_name, "")
    if user.role is Role.PHARMACIST and user.pharmacy_name:
        return Workplace(OrganisationKind.PHARMACY, user.pharmacy_name, user.pharmacy_address)
    return None


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
