"""Translates failures of the database into declared errors."""

from typing import Final

import asyncpg

from server.errors import DatabaseUnavailable, DeclaredError, PatientReadLimit, ServerBusy, Unavailable

FAILURES: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""The errors that the driver raises; refused connections are raw OSError."""

BUSY: Final = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.TooManyConnectionsError,
)
GONE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

PATIENTS_EXCEEDED: Final = "MC001"
"""The SQLSTATE that the function `count_patient_reads` raises, with the seconds to wait as its detail."""

OUTAGES: Final = (*GONE, *BUSY, Unavailable, asyncpg.InsufficientPrivilegeError)
"""The errors that an operator mends, not a programmer: one line says all."""


def unavailable(error: BaseException, *, closed: bool = False) -> Unavailable | None:
    """Returns the declared error for one of FAILURES.

    None if it is a fault of this program: an invalid statement, a violated constraint. closed: whether the connection
    is closed now; the driver reports its use like a wrong call, with InterfaceError.
    """
    if isinstance(error, BUSY):
        return ServerBusy()
    if isinstance(error, GONE) or closed:
        return DatabaseUnavailable()
    return None


def refusal(error: BaseException) -> DeclaredError | None:
    """Returns the declared error for a call that a rule in the database refused; None for any other failure."""
    if sqlstate_of(error) == PATIENTS_EXCEEDED:
        return PatientReadLimit(retry_after=int(getattr(error, "detail", None) or 1))
    return None


_IN_WORDS: Final = (
    (ServerBusy, "no connection of the pool was free in time"),
    (asyncpg.DiskFullError, "the database's disk is full"),
    (asyncpg.ReadOnlySQLTransactionError, "the database is read-only"),
    (asyncpg.InsufficientPrivilegeError, "the database account lacks a right"),
    (asyncpg.UndefinedTableError, "the database lacks a table: it has not been migrated"),
    (asyncpg.UndefinedColumnError, "the database lacks a column: it has not been migrated"),
    (asyncpg.TooManyConnectionsError, "the database accepts no more connections"),
    (asyncpg.CannotConnectNowError, "the database is starting or stopping"),
    (asyncpg.InvalidCatalogNameError, "the database does not exist"),
    (asyncpg.InvalidAuthorizationSpecificationError, "the database does not let this account in"),
    (asyncpg.LockNotAvailableError, "a lock was not free in time"),
    (asyncpg.DeadlockDetectedError, "transactions waited for each other"),
    (asyncpg.QueryCanceledError, "a statement took too long"),
    (asyncpg.PostgresConnectionError, "the connection to the database broke"),
    (TimeoutError, "the database did not answer in time"),
    (OSError, "the database cannot be reached"),
)
"""What the errors mean to an operator; the first class that fits counts."""


def cause_in(error: BaseException) -> BaseException:
    """Returns the driver's error that a declared error stands for; any other error itself."""
    return error.__cause__ if isinstance(error, Unavailable) and error.__cause__ is not None else error


def sqlstate_of(error: BaseException) -> str:
    """Returns the SQLSTATE of a driver's error; empty if it has none."""
    return str(getattr(error, "sqlstate", None) or "")


def describe(error: BaseException) -> str:
    """Returns what failed in one line, with class and SQLSTATE; never the driver's text, which may quote a row."""
    cause = cause_in(error)
    kind = " ".join(filter(None, (type(cause).__name__, sqlstate_of(cause))))
    meaning = next((words for known, words in _IN_WORDS if isinstance(cause, known)), None)
    return kind if meaning is None else f"{meaning} ({kind})"
