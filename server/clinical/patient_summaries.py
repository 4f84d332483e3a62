"""The lines of lists of patients."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from server.clinical.patient_entities import PatientAssurance


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """A line of a list of patients, which is in the order of the sort names."""

    id: UUID
    reference_number: str
    full_name: str
    date_of_birth: date | None
    sort_name: str
    assurance: PatientAssurance
