"""Base classes of all declared errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from server.errors.reasons import Code, Reason


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """An invalid field, by its path in JSON names (`items[0].quantity`), and its constraint in words for people."""

    field: str
    message: str


MetadataValue = str | int | datetime


class DeclaredError(Exception):
    """A failure that is reported to the caller.

    `message` is for people and contains nothing secret. `violations` name invalid fields, `retry_after` is the number
    of seconds to wait before trying again, `metadata` contains the keys that the comment of the reason in
    `error_reason.proto` lists, in snake case.
    """

    code: ClassVar[Code]
    reason: ClassVar[Reason]
    message: ClassVar[str] = ""
    """The default text, used if the caller of the constructor passes none."""

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
    """The request itself is invalid; repeating it cannot help."""

    code = Code.INVALID_ARGUMENT


class PermissionDenied(DeclaredError):
    """The caller is authenticated but may not do this."""

    code = Code.PERMISSION_DENIED


class FailedPrecondition(DeclaredError):
    """The current state does not allow this; nothing was changed."""

    code = Code.FAILED_PRECONDITION


class Aborted(DeclaredError):
    """A concurrent call was faster; repeating the call can help."""

    code = Code.ABORTED


class ResourceExhausted(DeclaredError):
    """A limit is exhausted."""

    code = Code.RESOURCE_EXHAUSTED


class Unavailable(DeclaredError):
    """The service cannot handle the call now; the same call may succeed in a moment."""

    code = Code.UNAVAILABLE

    def __init__(self, message: str = "") -> None:
        super().__init__(message, retry_after=1)
