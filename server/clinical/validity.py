"""The validity of prescriptions that begins on a later day than that of the creation."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class LaterValidity:
    """The validity of a prescription that begins on a later day than that of the creation."""

    valid_from: date
    """The first day on which the prescription can be dispensed, as its doctor gave it."""
    starts_at: datetime
    """The time at which that day begins at the hospital."""
    ends_at: datetime
    """The prescription's `expires_at`."""
