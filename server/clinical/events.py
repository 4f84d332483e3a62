"""Events of prescriptions. They hold ids and states, no personal data."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from server.clinical.entities import Prescription
from server.events.catalog import Event, EventType


@dataclass(frozen=True, slots=True)
class PrescriptionEvent(Event):
    """Something that happened to a prescription, which is as the event left it."""

    prescription: Prescription

    @property
    def subject_id(self) -> UUID:
        """The prescription."""
        return self.prescription.id

    @property
    def payload(self) -> Mapping[str, object]:
        """The state it is in since."""
        return {"status": self.prescription.status.value}


@dataclass(frozen=True, slots=True)
class PrescriptionCreated(PrescriptionEvent):
    """A doctor wrote a prescription."""

    type = EventType.PRESCRIPTION_CREATED


@dataclass(frozen=True, slots=True)
class PrescriptionDispensed(PrescriptionEvent):
    """A pharmacy handed out a prescription or a part of it; the pharmacies' log tells what."""

    type = EventType.PRESCRIPTION_DISPENSED
    log_id: UUID

    @property
    def payload(self) -> Mapping[str, object]:
        """The state it is in since, and the entry of the log."""
        return {"status": self.prescription.status.value, "logId": str(self.log_id)}


@dataclass(frozen=True, slots=True)
class PrescriptionRejected(PrescriptionEvent):
    """A pharmacy refused a prescription."""

    type = EventType.PRESCRIPTION_REJECTED


@dataclass(frozen=True, slots=True)
class PrescriptionCancelled(PrescriptionEvent):
    """Its doctor took a prescription back."""

    type = EventType.PRESCRIPTION_CANCELLED
