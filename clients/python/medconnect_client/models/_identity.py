"""The identification of patients, and what is known of their allergies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AllergyStatus(StrEnum):
    """The knowledge about a patient's allergies."""

    NOT_RECORDED = "not_recorded"
    """The patient may have some: ask before you prescribe or dispense."""
    NONE_KNOWN = "none_known"
    LISTED = "listed"
    UNKNOWN = "unknown"
    """A value that this client does not know, or none, from an older server."""


@dataclass(frozen=True, slots=True)
class AllergiesAsked:
    """The recording that a patient has no known allergies."""

    asked_by: str
    """The name of the account that recorded it: a doctor's, or the patient's own."""
    asked_at: datetime


class PatientAssurance(StrEnum):
    """The knowledge that a record belongs to the person that it names."""

    SELF_ASSERTED = "self_asserted"
    """A person registered with this name, and no member of staff has identified them."""
    IDENTIFIED = "identified"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


class IdentificationDocument(StrEnum):
    """The evidence by which a person is identified."""

    IDENTITY_CARD = "identity_card"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    RESIDENCE_PERMIT = "residence_permit"
    INSURANCE_CARD = "insurance_card"
    BIRTH_CERTIFICATE = "birth_certificate"
    PERSONALLY_KNOWN = "personally_known"
    OTHER = "other"
    EARLIER_RECORD = "earlier_record"
    """The record is from before identifications were recorded; no request may state this value."""
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class PatientIdentification:
    """The identification of a patient."""

    document: IdentificationDocument | None
    """None if the member of staff stated none."""
    identified_by: str
    """The name of the member of staff; empty for a record from before identifications were recorded."""
    identified_at: datetime
