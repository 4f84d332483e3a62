"""Applies updates to patient records: only the given fields change."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from server.clinical.entities import Patient, PatientChange
from server.clinical.patient_entities import AllergiesAsked
from server.errors import ValidationFailed, VersionConflict
from server.partial_update import changed_values, json_name
from server.patient_details import DETAIL_NAMES, check_past_date

CHANGEABLE: Final = ("full_name", "phone", *DETAIL_NAMES, "full_emails")
"""The fields of a record that an update may set."""

CLEARABLE: Final[Mapping[str, str]] = {
    "phone": "phone",
    "bloodType": "blood_type",
    "address": "address",
    "emergencyContact": "emergency_contact",
    "emergencyPhone": "emergency_phone",
    "insuranceProvider": "insurance_provider",
    "insuranceNumber": "insurance_number",
    "allergies": "allergies",
    "existingConditions": "existing_conditions",
}
"""The fields that an update may clear, by their JSON names."""

_LISTS: Final = frozenset({"allergies", "existing_conditions"})


def changed(patient: Patient, change: PatientChange, today: date, asked: AllergiesAsked | None = None) -> Patient:
    """Returns the record after the change.

    asked: stored if the change records that the patient has no known allergies; listed or cleared allergies end it.
    Raises VersionConflict if its version differs from the one that the caller has read, and ValidationFailed for a
    field that is both given and cleared, for an impossible date of birth, or without a version if the change replaces
    or removes an allergy or a condition: the caller may not have seen what another person added. No known allergies
    are refused while the record lists some.
    """
    if change.version not in (None, patient.version):
        raise VersionConflict(version=patient.version)
    if change.date_of_birth is not None:
        check_past_date(change.date_of_birth, "dateOfBirth", today)
    values, conflicts = changed_values(change, CHANGEABLE, CLEARABLE, _LISTS)
    if conflicts:
        raise ValidationFailed(violations=conflicts)
    after = replace(patient, **values)
    if change.no_known_allergies:
        check_no_known_allergies(after.allergies)
        after = replace(after, allergies_asked=asked)
    elif after.allergies or "allergies" in change.clear or change.no_known_allergies is False:
        after = replace(after, allergies_asked=None)
    if change.version is None and any(_loses_entry(patient, after, name) for name in _LISTS):
        raise ValidationFailed.of("version", "is required to replace or remove an allergy or a condition")
    return after


def check_no_known_allergies(allergies: Collection[str]) -> None:
    """Raises ValidationFailed if a record with these allergies cannot state that none are known."""
    if allergies:
        raise ValidationFailed.of("noKnownAllergies", "cannot be true while allergies are listed")


def changed_fields(before: Patient, after: Patient) -> tuple[str, ...]:
    """Returns the fields that an update changed, by their JSON names, for the audit."""
    names = [name for name in (*CHANGEABLE, "email") if getattr(before, name) != getattr(after, name)]
    if before.allergies_asked != after.allergies_asked and "allergies" not in names:
        names.append("allergy_status")
    return tuple(map(json_name, names))


def _loses_entry(before: Patient, after: Patient, name: str) -> bool:
    return not set(getattr(before, name)) <= set(getattr(after, name))
