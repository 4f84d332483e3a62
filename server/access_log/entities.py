"""Audit records as admins and patients read them."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from server.audit.events import Action, AuditEvent, Outcome
from server.date_range import Period
from server.identity import Role


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record as admins read it; texts without a value are empty."""

    id: UUID
    occurred_at: datetime
    event: AuditEvent
    action: Action
    outcome: Outcome
    actor_id: UUID | None
    """None for a caller without an account, and for the service itself."""
    actor_name: str
    actor_role: Role | None
    session_id: UUID | None
    address: str
    user_agent: str
    rpc: str
    object_kind: str
    object_id: UUID | None
    patient_ids: tuple[UUID, ...]
    purpose: str
    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Filter of audit records; a field that is None does not filter."""

    period: Period
    actor_id: UUID | None = None
    patient_id: UUID | None = None
    role: Role | None = None
    event: AuditEvent | None = None
    action: Action | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class AccessFilter:
    """Filter of the accesses to a patient's record."""

    period: Period = field(default_factory=Period)
    event: AuditEvent | None = None
    """None does not filter."""
    exclude_own_reads: bool = False
    """Leaves out the patient's own reads."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access to a patient's record, as the patient reads it."""

    id: UUID
    occurred_at: datetime
    event: AuditEvent
    actor_name: str
    """Empty for the service itself; so is the workplace."""
    actor_role: Role | None
    actor_workplace: str
    prescription_number: str
    changed_fields: tuple[str, ...]
    """The fields that an update of the record changed, by their JSON names."""
