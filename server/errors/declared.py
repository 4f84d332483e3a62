"""What every declared error is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from server.errors.reasons import Code, Reason


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field, by its path in JSON names (`items[0].quantity`), and in words for a person what it must hold."""

    field: str
    message: str


MetadataValue = str | int | datetime


class DeclaredError(Exception):
    """A failure that callers are told about.

    `message` is for people and holds nothing secret. `violations` name bad fields, `retry_after` says in seconds when
    to try again, `metadata` holds what the reason's rule in `error_reason.proto` lists, in snake case.
    """

    code: ClassVar[Code]
    reason: ClassVar[Reason]
    message: ClassVar[str] = ""
    """What is said when the raiser says nothing more precise."""

    def __init__(
        self,
        message: str = "",
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
        **metadata: MetadataValue,
    ) -> None:
        self.text = message or self.message
        super().__init__(self.text)
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.metadata = metadata


class InvalidArgument(DeclaredError):
    """The request itself is wrong; repeating it cannot help."""

    code = Code.INVALID_ARGUMENT


class PermissionDenied(DeclaredError):
    """The caller is known and may not do this."""

    code = Code.PERMISSION_DENIED


class FailedPrecondition(DeclaredError):
    """The present state does not allow this; nothing was changed."""

    code = Code.FAILED_PRECONDITION


class Aborted(DeclaredError):
    """Somebody else was faster; repeating the call can help."""

    code = Code.ABORTED


class ResourceExhausted(DeclaredError):
    """A budget is used up."""

    code = Code.RESOURCE_EXHAUSTED


class Unavailable(DeclaredError):
    """Not now; the same call may succeed in a moment."""

    code = Code.UNAVAILABLE

    def __init__(self, message: str = "") -> None:
        super().__init__(message, retry_after=1)
