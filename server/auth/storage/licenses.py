"""Lets a licence belong to one active account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import bindparam, select

from server.auth.entities import UserStatus
from server.auth.storage.tables import users
from server.db.connection import Connection, UniqueViolation
from server.errors import LicenseTaken

_HOLDER: Final = select(users.c.id).where(
    users.c.license_key == bindparam("key"), users.c.license_key != "", users.c.status == UserStatus.ACTIVE
)


@asynccontextmanager
async def one_license_holder(connection: Connection, key: str) -> AsyncIterator[None]:
    """Runs a statement that may activate an account with a licence of this key; empty: nothing is checked.

    Raises LicenseTaken if another active account has the licence; the transaction remains usable. Of concurrent
    transactions that activate accounts with the same licence, one commits: the unique index decides.
    """
    if not key:
        yield
        return
    try:
        async with connection.savepoint():
            yield
    except UniqueViolation as error:
        raise LicenseTaken(await connection.scalar(_HOLDER, {"key": key})) from error
