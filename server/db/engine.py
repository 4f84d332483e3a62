"""Opens connections: pools for the service, and an engine of SQLAlchemy for changes of the schema."""

from functools import partial
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.db.pool import Connect, Pool

STATEMENT_SECONDS: Final = 5
LOCK_SECONDS: Final = 2
IDLE_SECONDS: Final = 10
CONNECT_SECONDS: Final = 2
STATEMENTS_KEPT: Final = 1000
"""The prepared statements that a connection keeps; the service has fewer than 300."""
APP_ROLE: Final = "medconnect_app"
"""The role of the server and the worker: it owns nothing, and its rights are those of `grants`."""
SEALER_ROLE: Final = "medconnect_sealer"
"""The role that adds seals to the audit chain, and can do nothing else."""


def create_pool(url: str, *, pool_size: int, application: str = "medconnect", role: str | None = APP_ROLE) -> Pool:
    """Returns the pool of `connector`'s connections; it connects when first used.

    pool_size: half as many more are opened under load; a call waits 1 s for a connection.
    """
    return Pool(connector(url, application=application, role=role), pool_size + pool_size // 2)


def connector(url: str, *, application: str, role: str | None = APP_ROLE) -> Connect:
    """Returns a function that opens connections to a `postgresql://…` URL, and raises the driver's errors.

    A statement may take 5 s, a lock 2 s, an idle transaction 10 s. role: the role of the sessions; the URL's
    account must be a member of it. None: the sessions keep the account's own rights.
    """
    session = {
        "application_name": application,
        "timezone": "UTC",
        "jit": "off",
        "plan_cache_mode": "force_generic_plan",  # to plan a list again takes ten times as long as to run it
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        **({} if role is None else {"role": role}),
    }
    return partial(
        asyncpg.connect,
        url,
        timeout=CONNECT_SECONDS,
        statement_cache_size=STATEMENTS_KEPT,
        max_cached_statement_lifetime=0,
        server_settings=session,
    )


def create_engine(url: str) -> AsyncEngine:
    """Returns SQLAlchemy's engine for alembic; its sessions keep the account's own rights and have no time limits."""
    # asyncpg parses the URL itself, because SQLAlchemy's dialect does not accept `sslmode`.
    return create_async_engine("postgresql+asyncpg://", async_creator=partial(asyncpg.connect, url))
