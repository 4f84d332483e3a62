"""Hospitals and pharmacies, and their members."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class OrganisationKind(StrEnum):
    """The kind of an organisation; doctors are members of hospitals, pharmacists of pharmacies."""

    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


class MemberRight(StrEnum):
    """The right of a member in an organisation."""

    MEMBER = "member"
    ADMINISTRATOR = "administrator"
    """Also adds members, ends their memberships and changes their rights."""
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A hospital or pharmacy; texts that are not given are empty."""

    id: str
    kind: OrganisationKind
    name: str
    register_number: str
    """The number of its licence or register entry."""
    address: str
    phone: str
    created_at: datetime
    closed_at: datetime | None
    """When it was closed; None while it is open."""


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """The data of a new organisation."""

    kind: OrganisationKind
    name: str
    register_number: str | None = None
    address: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class OrganisationChanges:
    """Changes of an organisation; None leaves a field unchanged."""

    name: str | None = None
    register_number: str | None = None
    address: str | None = None
    phone: str | None = None
    clear: tuple[str, ...] = ()
    """Fields to clear: `registerNumber`, `address`, `phone`."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account as a current member of an organisation."""

    user_id: str
    full_name: str
    email: str
    """Empty before the address is confirmed."""
    member_right: MemberRight
    since: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """A current membership of the caller."""

    organisation: Organisation
    member_right: MemberRight
    since: datetime
    current: bool
    """Whether the session of this client acts for the organisation."""
