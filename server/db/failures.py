"""Translates failures of the database into declared errors."""

from typing import Final

import asyncpg

from server.errors import DatabaseUnavailable, ServerBusy, Unavailable

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
