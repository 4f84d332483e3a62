"""The accounts with which the service logs in to its database.

Three accounts separate the duties: the owner only migrates, the server's account has the rights that `grants` lists,
and the sealer's account adds seals to the audit chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

from server.config.secrets import derived_key
from server.db.engine import APP_ROLE, CONNECT_SECONDS, SEALER_ROLE

SERVER_LOGIN: Final = "medconnect_server"
SEALER_LOGIN: Final = "medconnect_seal_worker"
_MEMBERS: Final = {SERVER_LOGIN: APP_ROLE, SEALER_LOGIN: SEALER_ROLE}

# Roles belong to the whole cluster: another process may be creating them concurrently.
_MAKE: Final = """
    DO $$
    BEGIN
        CREATE ROLE {role};
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
"""
_LIMIT: Final = "ALTER ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS {more}"

# The rights of the login account itself, including those of every role of which it is a member.
_RIGHTS: Final = """
    SELECT
        (SELECT bool_or(r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls) FROM pg_roles r
         WHERE pg_has_role(session_user, r.oid, 'MEMBER')) AS mighty,
        EXISTS (SELECT FROM pg_database
                WHERE datname = current_database() AND pg_has_role(session_user, datdba, 'MEMBER'))
        OR EXISTS (SELECT FROM pg_class
                   WHERE relnamespace = 'public'::regnamespace AND pg_has_role(session_user, relowner, 'MEMBER'))
        OR EXISTS (SELECT FROM pg_namespace
                   WHERE nspname = 'public' AND pg_has_role(session_user, nspowner, 'MEMBER')) AS owner,
        (SELECT bool_or(pg_has_role(session_user, r.oid, 'MEMBER')) FROM pg_roles r WHERE r.rolname LIKE 'pg\\_%'
         AND r.rolname NOT IN ('pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables',
                               'pg_database_owner')) AS server_role,
        has_schema_privilege(session_user, 'public', 'CREATE') AS makes_tables,
        (SELECT bool_or(has_table_privilege(session_user, c.oid, 'UPDATE, DELETE, TRUNCATE')) FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('audit_records', 'audit_seals')) AS rewrites,
        EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(session_user, oid, 'MEMBER')) AS member,
        EXISTS (SELECT FROM pg_roles WHERE rolname = $2 AND pg_has_role(session_user, oid, 'MEMBER')) AS other
"""


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The URLs of one database, one for each account."""

    server: str = field(repr=False)
    sealer: str = field(repr=False)
    owner: str = field(repr=False)

    @classmethod
    def embedded(cls, owner: str) -> "DatabaseUrls":
        """Returns the URLs of a database whose accounts `make` has created."""
        return cls(login_url(owner, SERVER_LOGIN), login_url(owner, SEALER_LOGIN), owner)


def login_url(owner: str, login: str) -> str:
    """Returns the URL with which another account reaches the owner's database."""
    parts = urlsplit(owner)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(login)}:{_password(owner, login)}@{place}"))


def _password(owner: str, login: str) -> str:
    """Returns a password derived from the owner's: it needs no file, and does not reveal the owner's password."""
    return derived_key(unquote(urlsplit(owner).password or ""), f"database account {login}").hex()


async def make(owner: str) -> None:
    """Creates the roles and accounts of the embedded database, or restores their attributes."""
    connection = await asyncpg.connect(owner)
    try:
        for login, role in _MEMBERS.items():
            for name in (role, login):
                await connection.execute(_MAKE.format(role=name))
            await connection.execute(_LIMIT.format(role=role, more="NOLOGIN"))
            await connection.execute(_LIMIT.format(role=login, more=f"LOGIN PASSWORD '{_password(owner, login)}'"))
            await connection.execute(f"GRANT {role} TO {login}")
    finally:
        await connection.close()


async def faults(url: str, role: str) -> list[str]:
    """Returns the reasons why an account must not be used for this role; most are excessive rights.

    Raises the driver's errors when the database cannot be reached.
    """
    other = SEALER_ROLE if role == APP_ROLE else APP_ROLE
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except asyncpg.InvalidAuthorizationSpecificationError:
        return ["may not log in"]
    try:
        found = await connection.fetchrow(_RIGHTS, role, other)
    finally:
        await connection.close()
    return list(_describe_faults(found, role, other))


def _describe_faults(found: Any, role: str, other: str) -> Iterator[str]:  # noqa: ANN401 - asyncpg's record
    if found["mighty"]:
        yield "is a superuser, may make roles or replicate, or is a member of a role that may"
        return  # it is a member of everything
    if found["owner"]:
        yield "owns the database, its schema or a table, or is a member of a role that does"
    elif found["makes_tables"]:
        yield "may make tables: REVOKE CREATE ON SCHEMA public FROM PUBLIC, and from it"
    if found["server_role"]:
        yield "is a member of a role of the database server"
    if found["rewrites"]:
        yield "may change or delete records of the audit"
    if not found["member"]:
        yield f"is not a member of {role}, the role that `medconnect migrate` creates for it"
    if found["other"]:
        yield f"is a member of {other}: that is for another account"
