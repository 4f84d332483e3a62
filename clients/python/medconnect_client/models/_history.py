"""Medical histories: visits and prescriptions of one patient in one list."""

import datetime
from dataclasses import dataclass

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
