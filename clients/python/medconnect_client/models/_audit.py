"""Who did what to whose record."""

from dataclasses import dataclass
from datetime import datetime

from medconnect_client.models._people import Role


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record of the audit, as admins read it. Words are those of `audit.proto` in lower case."""

    id: str
    occurred_at: datetime
    event: str
    """What happened, such as `prescription_read`."""
    action: str
    """The kind of it, such as `read`."""
    outcome: str
    """How it ended, such as `success`."""
    actor_id: str
    """Empty for a stranger and for the service itself."""
    actor_name: str
    actor_role: Role | None
    session_id: str
    address: str
    user_agent: str
    rpc: str
    object_kind: str
    """What it was about, such as `prescription`; empty for nothing single."""
    object_id: str
    patient_ids: tuple[str, ...]
    """The patients whose data was shown or changed, or would have been."""
    purpose: str
    """Why somebody in this role acts (HL7 v3 PurposeOfUse)."""
    request_id: str
    reason: str
    """The error reason of what did not succeed."""


@dataclass(frozen=True, slots=True)
class AccessLogEntry:
    """One access to a patient's record, as the patient reads it."""

    id: str
    occurred_at: datetime
    actor_name: str
    """Empty for the service itself."""
    actor_role: Role | None
    actor_workplace: str
    event: str
    """What was done, such as `prescription_read`."""
    action: str
    """The kind of it, such as `read`."""
    prescription_number: str
    """Empty for anything but a prescription."""
