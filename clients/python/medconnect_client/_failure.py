"""The details of a failed call; `errors` exports them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field whose value is invalid."""

    field: str
    """Its JSON path, such as `items[0].quantity`."""
    message: str
    """A description of the problem, for people."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The details of a failed call."""

    message: str
    """A description of the failure, for people."""
    reason: str = ""
    """The service's reason, such as `PRESCRIPTION_DISPENSED`; empty if the service did not respond."""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Further details of the reason, by JSON name."""
    request_id: str = ""
    """Identifies the call in the server's log."""
    retry_after: float | None = None
    """Seconds to wait before trying again, if the server states it."""
    violations: tuple[FieldViolation, ...] = ()
