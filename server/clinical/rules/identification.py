"""Rules of the identity of patients: who must be identified, and what identifies the person of a record."""

from datetime import date

from server.clinical.entities import Patient
from server.errors import PatientNotIdentified, ValidationFailed
from server.patient_details import check_past_date


def check_identified(identified: bool, *, required: bool) -> None:
    """Raises PatientNotIdentified for a self-asserted record where patients must be identified."""
    if required and not identified:
        raise PatientNotIdentified()


def date_of_birth_of(patient: Patient, on_document: date | None, today: date) -> date:
    """Returns the date of birth of an identified record: the record's, or that on the document for one without.

    Raises ValidationFailed if both are missing, if they differ, or for a date in the future.
    """
    born = on_document or patient.date_of_birth
    if born is None:
        raise ValidationFailed.of("dateOfBirth", "is required, because the record has none")
    if patient.date_of_birth not in (None, born):
        raise ValidationFailed.of("dateOfBirth", "is not the record's; this may be another person's record")
    check_past_date(born, "dateOfBirth", today)
    return born


def keeps_identification(before: Patient, after: Patient) -> bool:
    """Returns whether a record is still that of the identified person after the patient's own change.

    An unchecked date of birth would let one identified person appear as another.
    """
    return before.date_of_birth == after.date_of_birth
