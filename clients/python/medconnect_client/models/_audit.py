"""Audit records, for admins and for patients."""

from dataclasses import dataclass
from datetime import datetime

from medconnect_client.models._people import Role


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An audit record, as admins see it. Enum values are those of `audit.proto` in lower case."""

    id: str
    occurred_at: datetime
    event: str
    """The event, such as `prescription_read`."""
    action: str
    """The kind of action, such as `read`."""
    outcome: str
    """The outcome, such as `success`."""
    actor_id: str
    """Empty for a caller who is not signed in and for the service itself."""
    actor_name: str
    actor_role: Role | None
    session_id: str
    address: str
    user_agent: str
    rpc: str
    object_kind: str
    """The kind of object, such as `prescription`; empty if the event is not about a single object."""
    object_id: str
    patient_ids: tuple[str, ...]
    """The patients whose data was read or changed, or would have been."""
    purpose: str
    """The purpose of use of the actor's role (HL7 v3 PurposeOfUse)."""
    request_id: str
    reason: str
    """The error reason; for a success empty, a reason that an admin gave, or the changed fields of a record."""


@dataclass(frozen=True, slots=True)
class AccessLogEntry:
    """An access to a patient's record, as the patient sees it."""

    id: str
    occurred_at: datetime
    actor_name: str
    """Empty for the service itself."""
    actor_role: Role | None
    actor_workplace: str
    event: str
    """The event, such as `prescription_read`."""
    action: str
    """The kind of action, such as `read`."""
    prescription_number: str
    """Empty if the event is not about a prescription."""
    changed_fields: tuple[str, ...]
    """The fields that an update of the record changed, by their JSON names."""
