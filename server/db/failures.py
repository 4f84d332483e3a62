"""What the database's failures mean to a caller."""

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
    """The declared error that a failure of the database stands for.

    None if the fault is ours: a broken statement, a constraint. SQLAlchemy hands refused connections on as raw
    OSError, and wraps the driver's errors: the cause tells which it was.
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
