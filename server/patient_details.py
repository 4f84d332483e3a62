"""The data of a new patient record, from a patient who registers or from a doctor."""

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Final
from uuid import UUID

from server.date_range import EARLIEST_DATE
from server.errors import ValidationFailed


class Gender(StrEnum):
    """A person's gender as the record states it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PatientDetails:
    """The medical and insurance data of a new record; texts and lists that were not given are empty."""

    date_of_birth: date | None
    gender: Gender | None
    blood_type: str
    address: str
    emergency_contact: str
    emergency_phone: str
    insurance_provider: str
    insurance_number: str
    allergies: tuple[str, ...]
    existing_conditions: tuple[str, ...]


DETAIL_NAMES: Final = tuple(field.name for field in fields(PatientDetails))
"""The names of the details, shared by columns and requests."""


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """The part of a new patient record that is returned to the holder of the new account."""

    id: UUID
    reference_number: str


def check_past_date(day: date, field: str, today: date) -> None:
    """Raises ValidationFailed for `field` unless the day lies between 1900 and today."""
    if not EARLIEST_DATE <= day <= today:
        raise ValidationFailed.of(field, "must be a date between 1900-01-01 and today")


def check_after_birth(visited: date, born: date | None) -> None:
    """Raises ValidationFailed for a visit before the patient's birth; one without a known date may be on any day."""
    if born is not None and visited < born:
        raise ValidationFailed.of("visitDate", "must not be before the patient's date of birth")
