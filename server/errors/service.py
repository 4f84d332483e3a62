"""Errors of the service itself, not of the request."""

from server.errors.declared import DeclaredError, Unavailable
from server.errors.reasons import Code, Reason


class Internal(DeclaredError):
    """An undeclared error: its details are logged with the request id and hidden from the caller."""

    code = Code.INTERNAL
    reason = Reason.INTERNAL
    message = "Internal error."


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or a statement timed out."""

    reason = Reason.DATABASE_UNAVAILABLE
    message = "The service is temporarily unavailable."


class ServerBusy(Unavailable):
    """Every connection, lock or worker is taken."""

    reason = Reason.SERVER_BUSY
    message = "The service is busy."


class Draining(Unavailable):
    """The server is shutting down; another one can take the call."""

    reason = Reason.DRAINING
    message = "The server is shutting down."


class DeadlineExceeded(DeclaredError):
    """The call's deadline passed before the work was done."""

    code = Code.DEADLINE_EXCEEDED
    reason = Reason.DEADLINE_EXCEEDED
    message = "The call took too long."
