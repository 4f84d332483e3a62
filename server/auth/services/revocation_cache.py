"""Which sessions and accounts may act: what an access token cannot know, kept in this process's memory.

A token is valid for minutes; a logout, a deactivation and a verification act at once. The memory follows the database
by a poll that reads what changed lately, overlapping, and from time to time everything, so that whatever was missed
heals. When it is too old, or nobody has vouched for an account's licence and address, the database is asked, and when
that fails the call is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from server import background
from server.auth.entities import UserStatus
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.sessions import SessionRepository
from server.auth.tokens.keys import MAX_LIFETIME
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.errors import AccountNotVerified, EmailNotConfirmed, Unauthenticated, Unavailable
from server.identity import Caller

POLL_SECONDS: Final = 0.5
STALE_SECONDS: Final = 2.0
"""A memory older than this is not trusted."""
RELOAD_SECONDS: Final = 60.0
LOOK_BACK: Final = timedelta(seconds=30)
"""How far each poll looks back: longer than any transaction takes from its `now()` to its commit."""
ASK_SECONDS: Final = 1.0
"""How long the database may take to answer."""

REMEMBERED_FOR: Final = MAX_LIFETIME + timedelta(minutes=1)
"""A session that was revoked longer ago has no token left to be presented, whatever their lifetime was set to."""

_log = structlog.get_logger()


class RevocationCache:
    """The memory of one process."""

    def __init__(self, work: UnitOfWork, clock: Clock) -> None:
        self._work = work
        self._monotonic = clock.monotonic
        self._revoked: set[UUID] = set()
        self._revoked_here: set[UUID] = set()
        self._deactivated: set[UUID] = set()
        self._confirmed_active: set[UUID] = set()
        """Who was found active and with an address of his own since the last reload; who is missing is asked for."""
        self._read_at = float("-inf")
        self._reloaded_at = float("-inf")

    async def check(self, caller: Caller, *, confirmed: bool, verified: bool) -> None:
        """Refuse a caller who may not act any more, or not yet.

        confirmed: he needs an address of his own. verified: if he is a doctor or pharmacist, a verified licence. Raises
        Unauthenticated for a revoked session or a closed account, EmailNotConfirmed, AccountNotVerified, and
        DatabaseUnavailable or ServerBusy when the memory is stale and the database does not answer.
        """
        if self.has_ended(caller):
            raise Unauthenticated()
        vouched_for = caller.user_id in self._confirmed_active or not (confirmed or verified)
        if not vouched_for or self._monotonic() - self._read_at > STALE_SECONDS:
            await self._ask(caller, confirmed=confirmed, verified=verified)

    def has_ended(self, caller: Caller) -> bool:
        """Whether this process knows that the session was revoked or the account closed; asks nobody."""
        return caller.session_id in self._revoked or caller.user_id in self._deactivated

    def revoked(self, *session_ids: UUID) -> None:
        """Sessions were revoked by this process, and that is committed."""
        self._revoked.update(session_ids)
        self._revoked_here.update(session_ids)

    def reopened(self, user_id: UUID) -> None:
        """A closed account was opened again by this process; its former sessions stay revoked."""
        self._deactivated.discard(user_id)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Load the memory and let it follow the database while the block runs."""
        await self.refresh()
        async with background.running(self._follow()):
            yield

    async def refresh(self) -> None:
        """Read what changed, or everything when that is due; without an answer the memory stays as it is, and ages."""
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

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
            except Exception as error:  # the memory grows stale, which refuses; following must not end
                _log.warning("standing_not_read", error=type(error).__name__)

    async def _catch_up(self) -> None:
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            revoked = await tx[SessionRepository].revoked(LOOK_BACK)
            statuses = await tx[AccountRepository].status_changes(LOOK_BACK)
        self._revoked |= revoked
        self._deactivated -= statuses.keys()
        self._restrict(statuses)

    async def _reload(self) -> None:
        self._revoked_here = set()
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            revoked = await tx[SessionRepository].revoked(REMEMBERED_FOR)
            statuses = await tx[AccountRepository].not_active()
        self._revoked = self._revoked_here | revoked
        self._deactivated = set()
        self._confirmed_active = set()
        self._restrict(statuses)

    def _restrict(self, statuses: Mapping[UUID, UserStatus]) -> None:
        restricted = {user_id for user_id, status in statuses.items() if status is not UserStatus.ACTIVE}
        self._confirmed_active -= restricted
        self._deactivated |= {id_ for id_ in restricted if statuses[id_] is UserStatus.DEACTIVATED}

    async def _ask(self, caller: Caller, *, confirmed: bool, verified: bool) -> None:
        async with self._work.read() as tx, asyncio.timeout(ASK_SECONDS):
            found = await tx[SessionRepository].standing(caller.session_id, caller.user_id)
        if found is None or found.status is UserStatus.DEACTIVATED:
            raise Unauthenticated()
        if confirmed and not found.email_confirmed:
            raise EmailNotConfirmed()
        if verified and found.status is not UserStatus.ACTIVE:
            raise AccountNotVerified()
        if found.email_confirmed and found.status is UserStatus.ACTIVE:
            self._confirmed_active.add(caller.user_id)
