"""Entities of organisations and their members, for rules and services."""

from dataclasses import dataclass
from enum import StrEnum


class OrganisationKind(StrEnum):
    """The kind of an organisation; doctors are members of hospitals, pharmacists of pharmacies."""

    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"


class MemberRight(StrEnum):
    """The right of a member in an organisation."""

    MEMBER = "member"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Workplace:
    """A workplace as the free text of an account states it."""

    kind: OrganisationKind
    name: str
    address: str
    """Empty if it is not given, and for hospitals."""
