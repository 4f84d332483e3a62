"""Medical histories: visits and prescriptions of one patient in one list."""

import datetime
from dataclasses import dataclass

from medconnect_client.models._identity import AllergyStatus
from medconnect_client.models._people import Gender, Role
from medconnect_client.models._prescriptions import MedicalVisit, PatientPrescription, Prescription


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An entry of a history as its patient sees it: a visit or a prescription, never both."""

    date: datetime.date
    """The day of the visit or of the prescription, in the hospital's time zone."""
    visit: MedicalVisit | None
    prescription: PatientPrescription | None


@dataclass(frozen=True, slots=True)
class PatientHistoryEntry:
    """An entry of a history as doctors see it: a visit or a prescription, never both."""

    date: datetime.date
    """The day of the visit or of the prescription, in the hospital's time zone."""
    visit: MedicalVisit | None
    prescription: Prescription | None
    """`doctor_notes` is empty unless the caller wrote the prescription."""


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """The clinical fields of a record as they were before a change, and who made the change."""

    id: str
    version: int
    replaced_at: datetime.datetime
    replaced_by_name: str
    """The name at that time; empty if it is not known."""
    replaced_by_role: Role | None
    changed_fields: tuple[str, ...]
    """The fields that the change replaced, by their JSON names."""
    date_of_birth: datetime.date | None
    gender: Gender | None
    blood_type: str
    allergies: tuple[str, ...]
    existing_conditions: tuple[str, ...]
    allergy_status: AllergyStatus
