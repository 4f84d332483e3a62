"""Entities of organisations and their members, for rules and services."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.audit.audit_context import Subject
from server.identity import Role


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


@dataclass(frozen=True, slots=True)
class Organisation:
    """A hospital or pharmacy; texts that are not given are empty."""

    id: UUID
    kind: OrganisationKind
    name: str
    register_number: str
    address: str
    phone: str
    created_at: datetime
    closed_at: datetime | None

    @property
    def subject(self) -> Subject:
        """The subject of audit records about the organisation."""
        return Subject("organisation", self.id)

    @property
    def role_of_members(self) -> Role:
        """The role of the accounts that can be members."""
        return Role.DOCTOR if self.kind is OrganisationKind.HOSPITAL else Role.PHARMACIST


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """An organisation to be stored."""

    kind: OrganisationKind
    name: str
    register_number: str
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class OrganisationChange:
    """The changes of an organisation; fields that are None and not in `clear` do not change."""

    name: str | None = None
    register_number: str | None = None
    address: str | None = None
    phone: str | None = None
    clear: frozenset[str] = frozenset()
    """Fields to empty, by their JSON names."""


@dataclass(frozen=True, slots=True)
class OrganisationFilter:
    """The filter of a list of organisations; None matches all."""

    kind: OrganisationKind | None
    search: str | None
    """The beginning of a name."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account as a current member of an organisation."""

    id: UUID
    """The membership's id."""
    user_id: UUID
    full_name: str
    email: str
    """Empty before the address is confirmed."""
    right: MemberRight
    since: datetime

    @property
    def subject(self) -> Subject:
        """The subject of audit records about the member."""
        return Subject("account", self.user_id)


@dataclass(frozen=True, slots=True)
class Membership:
    """A current membership of the caller."""

    organisation: Organisation
    right: MemberRight
    since: datetime
