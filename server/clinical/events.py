"""Events of prescriptions. They hold ids and states, no personal data."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from server.clinical.entities import Prescription
from server.events.catalog import Event, EventType


@dataclass(frozen=True, slots=True)
class PrescriptionEvent(Event):
    """An event of a prescription, with the prescription in its state after the event."""

    prescription: Prescription

    @property
    def subject_id(self) -> UUID:
        """The id of the prescription."""
        return self.prescription.id

    @property
    def payload(self) -> Mapping[str, object]:
        """The state after the event."""
        return {"status": self.prescription.status.value}


@dataclass(frozen=True, slots=True)
class PrescriptionCreated(PrescriptionEvent):
    """A doctor wrote a prescription."""

    type = EventType.PRESCRIPTION_CREATED


@dataclass(frozen=True, slots=True)
class PrescriptionDispensed(PrescriptionEvent):
    """A pharmacy dispensed all or a part of a prescription; the pharmacies' log holds the lines."""

    type = EventType.PRESCRIPTION_DISPENSED
    log_id: UUID

    @property
    def payload(self) -> Mapping[str, object]:
        """The state after the event, and the id of the log entry."""
        return {"status": self.prescription.status.value, "logId": str(self.log_id)}


@dataclass(frozen=True, slots=True)
class PrescriptionRejected(PrescriptionEvent):
    """A pharmacy rejected a prescription."""

    type = EventType.PRESCRIPTION_REJECTED


@dataclass(frozen=True, slots=True)
class PrescriptionClosed(PrescriptionEvent):
    """A pharmacy closed the rest of a partly dispensed prescription."""

    type = EventType.PRESCRIPTION_CLOSED


@dataclass(frozen=True, slots=True)
class PrescriptionSuspended(PrescriptionEvent):
    """The doctor's licence was withdrawn or the account stolen."""

    type = EventType.PRESCRIPTION_SUSPENDED


@dataclass(frozen=True, slots=True)
class PrescriptionResumed(PrescriptionEvent):
    """Another doctor of the hospital resumed a suspended prescription."""

    type = EventType.PRESCRIPTION_RESUMED


@dataclass(frozen=True, slots=True)
class PrescriptionCancelled(PrescriptionEvent):
    """The doctor cancelled their prescription, or another doctor of the hospital for them."""

    type = EventType.PRESCRIPTION_CANCELLED
