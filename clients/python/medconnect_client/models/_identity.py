"""The identification of patients."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
