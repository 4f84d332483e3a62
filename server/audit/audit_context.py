"""The occasion of a record: which call runs now, and what of it the audit tells.

An interceptor states it before the use case runs. Outside a call (`medconnect up` makes the first admin) the actor is
the system.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from server.identity import Caller

LONGEST: Final = 256
"""Characters of a text that a caller chooses, such as the user agent."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a record is about: an object, by kind and id, and the patients whose data it is or shows."""

    kind: str = ""
    """Such as `prescription`; empty when nothing single is meant."""
    id: UUID | None = None
    patient_ids: tuple[UUID, ...] = ()


NOTHING: Final = Subject()


@dataclass(slots=True)
class AuditContext:
    """A call as the audit sees it."""

    rpc: str = ""
    """The method's name; empty outside a call."""
    request_id: str = ""
    address: str = ""
    """Whence the caller calls, in full."""
    user_agent: str = ""
    caller: Caller | None = None
    """Who calls; None for strangers."""
    subject: Subject = field(default=NOTHING)
    """What the call is about, as far as is known when it fails."""
    recorded: Subject | None = None
    """What the call's record is about, as far as the use case said so; None if no record was written."""
    failure_recorded: bool = False
    """Whether the use case has recorded itself why it fails."""


_occasion: ContextVar[AuditContext | None] = ContextVar("audit_occasion", default=None)


def current() -> AuditContext | None:
    """The occasion of the call that runs now; None outside a call."""
    return _occasion.get()


def set_subject(subject: Subject) -> None:
    """State what the call is about that runs now, for the record of its failure."""
    occasion = current()
    if occasion is not None:
        occasion.subject = subject


@contextmanager
def use(occasion: AuditContext) -> Iterator[AuditContext]:
    """Let it be the current occasion until the block is left."""
    token = _occasion.set(occasion)
    try:
        yield occasion
    finally:
        _occasion.reset(token)
