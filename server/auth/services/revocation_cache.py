"""In-memory cache of revoked sessions and deactivated accounts, refreshed from the database.

An access token is valid for minutes, but a logout, a deactivation and a verification take effect at once. A poll reads
recent changes with an overlap, and periodically everything, which repairs missed changes. If the cache is stale, or
does not contain the account as confirmed and active, the database is queried; if that fails, the call is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from server import background
from server.auth.entities import SessionRights, UserStatus
from server.auth.storage.account_statuses import AccountStatusRepository
from server.auth.storage.sessions import SessionRepository
from server.auth.tokens.keys import MAX_LIFETIME
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.errors import AccountNotVerified, EmailNotConfirmed, Unauthenticated, Unavailable
from server.identity import Caller

POLL_SECONDS: Final = 0.5
STALE_SECONDS: Final = 2.0
"""A cache older than this is not trusted."""
RELOAD_SECONDS: Final = 60.0
LOOK_BACK: Final = timedelta(seconds=30)
"""How far each poll looks back: longer than any transaction takes from its `now()` to its commit."""
ASK_SECONDS: Final = 1.0
"""The timeout of queries."""

REMEMBERED_FOR: Final = MAX_LIFETIME + timedelta(minutes=1)
"""All access tokens of a session that was revoked longer ago have expired, regardless of the lifetime setting."""


class RevocationCache:
    """The revoked sessions and deactivated accounts that one process knows."""

    def __init__(self, work: UnitOfWork, clock: Clock) -> None:
        self._work = work
        self._monotonic = clock.monotonic
        self._revoked: set[UUID] = set()
        self._revoked_here: set[UUID] = set()
        self._deactivated: set[UUID] = set()
        self._confirmed_active: set[UUID] = set()
        """Accounts found active with a confirmed address since the last reload; others are queried."""
        self._read_at = float("-inf")
        self._reloaded_at = float("-inf")

    async def check(self, caller: Caller, *, confirmed: bool, verified: bool) -> None:
        """Refuses a caller who may no longer act, or not yet.

        confirmed: the call requires a confirmed address. verified: it requires a verified licence of doctors and
        pharmacists. Raises Unauthenticated for a revoked session or a deactivated account, EmailNotConfirmed,
        AccountNotVerified, and DatabaseUnavailable or ServerBusy if the cache is stale and the database unavailable.
        """
        if self.has_ended(caller):
            raise Unauthenticated()
        allowed = caller.user_id in self._confirmed_active or not (confirmed or verified)
        if not allowed or self._monotonic() - self._read_at > STALE_SECONDS:
            await self._ask(caller, confirmed=confirmed, verified=verified)

    async def organisation_of(self, caller: Caller) -> UUID | None:
        """Returns the organisation for which a caller's session acts now, from the database.

        For tokens that name none: they were issued before the account became a member of any. Raises Unauthenticated
        for a session that has ended, and DatabaseUnavailable or ServerBusy.
        """
        return (await self._rights(caller)).organisation_id

    def has_ended(self, caller: Caller) -> bool:
        """Returns whether the cache contains the session as revoked or the account as deactivated; never queries."""
        return caller.session_id in self._revoked or caller.user_id in self._deactivated

    def revoked(self, *session_ids: UUID) -> None:
        """Adds sessions that this process has revoked; call it after the commit."""
        self._revoked.update(session_ids)
        self._revoked_here.update(session_ids)

    def unverified(self, user_id: UUID) -> None:
        """Has an account queried again that this process has found active; call it after the commit."""
        self._confirmed_active.discard(user_id)

    def reopened(self, user_id: UUID) -> None:
        """Removes an account that this process has reactivated; its former sessions stay revoked."""
        self._deactivated.discard(user_id)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Loads the cache and keeps it fresh while the block runs."""
        await self.refresh()
        polls = background.repeat(self.refresh, every=POLL_SECONDS, failed="revocations_not_read", delay=POLL_SECONDS)
        async with background.running(polls):
            yield

    async def refresh(self) -> None:
        """Reads recent changes, or everything if that is due; if the database fails, the cache does not change."""
        now = self._monotonic()
        missed_changes = now - self._read_at > LOOK_BACK.total_seconds() / 2
        try:
            if missed_changes or now - self._reloaded_at >= RELOAD_SECONDS:
                await self._reload()
                self._reloaded_at = now
            else:
                await self._catch_up()
        except Unavailable:
            return
        self._read_at = now

    async def _catch_up(self) -> None:
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            revoked = await tx[SessionRepository].revoked(LOOK_BACK)
            statuses = await tx[AccountStatusRepository].status_changes(LOOK_BACK)
        self._revoked |= revoked
        self._deactivated -= statuses.keys()
        self._restrict(statuses)

    async def _reload(self) -> None:
        self._revoked_here = set()
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            revoked = await tx[SessionRepository].revoked(REMEMBERED_FOR)
            statuses = await tx[AccountStatusRepository].not_active()
        self._revoked = self._revoked_here | revoked
        self._deactivated = set()
        self._confirmed_active = set()
        self._restrict(statuses)

    def _restrict(self, statuses: Mapping[UUID, UserStatus]) -> None:
        restricted = {user_id for user_id, status in statuses.items() if status is not UserStatus.ACTIVE}
        self._confirmed_active -= restricted
        self._deactivated |= {id_ for id_ in restricted if statuses[id_] is UserStatus.DEACTIVATED}

    async def _ask(self, caller: Caller, *, confirmed: bool, verified: bool) -> None:
        found = await self._rights(caller)
        if confirmed and not found.email_confirmed:
            raise EmailNotConfirmed()
        if verified and found.status is not UserStatus.ACTIVE:
            raise AccountNotVerified()
        if found.email_confirmed and found.status is UserStatus.ACTIVE:
            self._confirmed_active.add(caller.user_id)

    async def _rights(self, caller: Caller) -> SessionRights:
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            found = await tx[SessionRepository].rights(caller.session_id, caller.user_id)
        if found is None or found.status is UserStatus.DEACTIVATED:
            raise Unauthenticated()
        return found
