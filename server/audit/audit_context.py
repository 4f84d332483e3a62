"""Context of an audit record: the current call, as far as the audit records it.

An interceptor sets it before the use case runs. Outside a call (`medconnect up` creates the first admin) the actor is
the system.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from server.identity import Caller

LONGEST: Final = 256
"""Maximum length in characters of a text that a caller chooses, such as the user agent."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a record: an object, by kind and id, and the patients whose data it contains."""

    kind: str = ""
    """Such as `prescription`; empty when the record is not about a single object."""
    id: UUID | None = None
    patient_ids: tuple[UUID, ...] = ()


NOTHING: Final = Subject()


@dataclass(slots=True)
class AuditContext:
    """A call as far as the audit records it."""

    rpc: str = ""
    """The method's name; empty outside a call."""
    request_id: str = ""
    address: str = ""
    """The full client address of the caller."""
    user_agent: str = ""
    caller: Caller | None = None
    """The caller; None without a valid token."""
    read_limit: int | None = None
    """The most patients whose data the caller may be shown in an hour; None if they are not counted."""
    subject: Subject = field(default=NOTHING)
    """The subject of the call, as far as it is known if the call fails."""
    recorded: Subject | None = None
    """The subject of the record that the use case has written; None if it has written none."""
    failure_recorded: bool = False
    """True if the use case itself has recorded its failure."""


_context: ContextVar[AuditContext | None] = ContextVar("audit_context", default=None)


def current() -> AuditContext | None:
    """Returns the context of the current call; None outside a call."""
    return _context.get()


def set_subject(subject: Subject) -> None:
    """Sets the subject of the current call, for the record of a failure."""
    context = current()
    if context is not None:
        context.subject = subject


def enter(context: AuditContext) -> None:
    """Makes the context current for the rest of the call's task; only the audit interceptor calls this."""
    _context.set(context)
