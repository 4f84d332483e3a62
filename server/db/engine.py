"""Creates connection pools."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DRIVER: Final = "postgresql+asyncpg://"
STATEMENT_SECONDS: Final = 5
LOCK_SECONDS: Final = 2
IDLE_SECONDS: Final = 10
POOL_WAIT_SECONDS: Final = 1
CONNECT_SECONDS: Final = 2
APP_ROLE: Final = "medconnect_app"
"""The role of the server and the worker: it owns nothing, and its rights are those of `grants`."""
SEALER_ROLE: Final = "medconnect_sealer"
"""The role that adds seals to the audit chain, and can do nothing else."""


def create_engine(
    url: str, *, pool_size: int, application: str = "medconnect", owner: bool = False, role: str = APP_ROLE
) -> AsyncEngine:
    """Returns the pool for a `postgresql://…` URL; it connects when first used.

    A statement may take 5 s, a lock 2 s, an idle transaction 10 s; a call waits 1 s for a connection. role: the role of
    the sessions; the URL's account must be a member of it. owner: the sessions keep the account's own rights instead,
    for changes of the schema.
    """
    session = {
        "application_name": application,
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        **({} if owner else {"role": role}),
    }
    return create_async_engine(
        DRIVER,
        async_creator=connector(url, timeout=CONNECT_SECONDS, server_settings=session),
        pool_size=pool_size,
        max_overflow=pool_size // 2,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,  # an error's text must not hold patients' data
    )


def connector(url: str, **options: Any) -> Callable[[], Awaitable[Any]]:  # noqa: ANN401 - asyncpg's own options
    """Returns a function that opens connections to the URL.

    asyncpg parses the URL itself, because SQLAlchemy's dialect does not accept `sslmode`.
    """
    return partial(asyncpg.connect, url, **options)
