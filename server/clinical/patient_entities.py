"""Entities of a patient record: what is known of allergies, how its person was identified, its email's detachment."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from server.identity import Role
from server.patient_details import Gender


class EmailDetachReason(StrEnum):
    """Why staff detach an email address from a record."""

    WRONG_ADDRESS = "wrong_address"
    MAILBOX_LOST = "mailbox_lost"
    MAILBOX_SHARED = "mailbox_shared"
    PATIENT_ASKED = "patient_asked"


@dataclass(frozen=True, slots=True)
class EmailDetachment:
    """An open request to detach an email address, which a second doctor must confirm."""

    reason: EmailDetachReason
    requested_by: UUID
    requester_name: str
    requested_at: datetime
    expires_at: datetime


class AllergyStatus(StrEnum):
    """The knowledge about a patient's allergies."""

    NOT_RECORDED = "not_recorded"
    NONE_KNOWN = "none_known"
    LISTED = "listed"

    @classmethod
    def of(cls, allergies: Collection[str], *, none_known: bool) -> "AllergyStatus":
        """Returns the status of a record with these allergies."""
        if allergies:
            return cls.LISTED
        return cls.NONE_KNOWN if none_known else cls.NOT_RECORDED


@dataclass(frozen=True, slots=True)
class AllergiesAsked:
    """The recording that a patient has no known allergies."""

    account_id: UUID
    name: str
    """The account's name at that time; empty in a recording that is not stored yet."""
    at: datetime


class PatientAssurance(StrEnum):
    """The knowledge that a record belongs to the person that it names."""

    SELF_ASSERTED = "self_asserted"
    IDENTIFIED = "identified"


class IdentificationDocument(StrEnum):
    """The evidence by which a person was identified."""

    IDENTITY_CARD = "identity_card"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    RESIDENCE_PERMIT = "residence_permit"
    INSURANCE_CARD = "insurance_card"
    BIRTH_CERTIFICATE = "birth_certificate"
    PERSONALLY_KNOWN = "personally_known"
    OTHER = "other"
    EARLIER_RECORD = "earlier_record"
    """No evidence: the record is from before identifications were recorded, and staff made it or treated the person."""


@dataclass(frozen=True, slots=True)
class Identification:
    """The identification of a patient. document: None if the member of staff stated none."""

    document: IdentificationDocument | None
    identified_by: str
    """The name of the member of staff at that time; empty for a record from before identifications were recorded."""
    identified_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """The clinical fields of a record as they were before a change, and who made the change."""

    id: UUID
    version: int
    replaced_at: datetime
    replaced_by_name: str
    """The name at that time; empty if the author is not known."""
    replaced_by_role: Role | None
    changed_fields: tuple[str, ...]
    date_of_birth: date | None
    gender: Gender | None
    blood_type: str
    allergies: tuple[str, ...]
    existing_conditions: tuple[str, ...]
    allergy_status: AllergyStatus
