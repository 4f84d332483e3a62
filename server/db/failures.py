"""Translates failures of the database into declared errors."""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from server.errors import DatabaseUnavailable, ServerBusy, Unavailable

BUSY: Final = (
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.TooManyConnectionsError,
)
GONE: Final = (
    asyncpg.exceptions.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.InternalClientError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.InvalidCatalogNameError,
)


def unavailable(error: OSError | TimeoutError | DBAPIError | PoolTimeout) -> Unavailable | None:
    """Returns the declared error for a failure of the database.

    None if it is a fault of this program: an invalid statement, a violated constraint. SQLAlchemy passes refused
    connections on as raw OSError and wraps the driver's errors, so the cause holds the driver's class of error.
    """
    if isinstance(error, PoolTimeout):
        return ServerBusy()
    if not isinstance(error, DBAPIError):
        return DatabaseUnavailable()
    cause = error.orig.__cause__ if error.orig is not None else None
    if isinstance(cause, BUSY):
        return ServerBusy()
    if isinstance(cause, GONE) or error.connection_invalidated:
        return DatabaseUnavailable()
    return None
