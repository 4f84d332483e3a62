"""Use cases of members: admins, and the administrators of an organisation, add members and end their memberships."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.organisation_entities import Member, MemberRight
from server.auth.rules.organisations import check_open
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.memberships import MembershipRepository
from server.auth.storage.organisations import OrganisationRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.identity import Caller
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens

MembershipEnded = Callable[[Transaction, UUID, UUID], Awaitable[None]]
"""Ends what a member holds for an organisation. Arguments: transaction, user id, organisation id.

The pharmacy slice provides it.
"""


class MemberService:
    """Implements the use cases of members. ended: ends the claims that a former member took for the pharmacy.

    The caller of each is an admin, or an administrator of the organisation; for others it raises NotFound.
    """

    def __init__(
        self, work: UnitOfWork, page_tokens: PageTokens, revocations: RevocationCache, ended: MembershipEnded
    ) -> None:
        self._work = work
        self._revocations = revocations
        self._ended = ended
        self._members = Listing[Member, MomentAndId](
            page_tokens, "ListMembers", BY_MOMENT, lambda member: (member.since, member.id)
        )

    async def list_members(self, caller: Caller, organisation_id: UUID, page: PageRequest) -> Page[Member]:
        """Returns a page of current members, newest first. Raises NotFound and PageTokenInvalid."""
        query = self._members.query(caller, page, organisation_id)
        async with self._work.read() as tx:
            organisation = await tx[OrganisationRepository].administered(organisation_id, caller)
            return query.page(*await tx[MembershipRepository].newest(organisation, query.after, query.size))

    async def add(self, caller: Caller, organisation_id: UUID, email: str, right: MemberRight) -> Member:
        """Makes the account with an address a member; a current member does not change.

        Raises NotFound, also for an account that the caller cannot add, and OrganisationClosed.
        """
        async with self._work.begin() as tx:
            organisation = await tx[OrganisationRepository].administered(organisation_id, caller)
            check_open(organisation)
            user_id = await tx[MembershipRepository].account_for_update(email, organisation, caller)
            await tx[MembershipRepository].add(user_id, organisation_id, right)
            member = await tx[MembershipRepository].get(user_id, organisation_id)
            await tx[AuditWriter].record(AuditEvent.MEMBER_ADDED, member.subject, reason=str(organisation_id))
        return member

    async def change_right(self, caller: Caller, organisation_id: UUID, user_id: UUID, right: MemberRight) -> Member:
        """Changes the right of a current member. Raises NotFound."""
        async with self._work.begin() as tx:
            await tx[OrganisationRepository].administered(organisation_id, caller)
            await tx[MembershipRepository].change_right(user_id, organisation_id, right)
            member = await tx[MembershipRepository].get(user_id, organisation_id)
            reason = f"{organisation_id} {right}"
            await tx[AuditWriter].record(AuditEvent.MEMBER_RIGHT_CHANGED, member.subject, reason=reason)
        return member

    async def end(self, caller: Caller, organisation_id: UUID, user_id: UUID) -> int:
        """Ends a membership, the claims that the member took for the pharmacy, and the account's sessions.

        Returns the number of these sessions: their tokens name the organisation. Raises NotFound.
        """
        async with self._work.begin() as tx:
            await tx[OrganisationRepository].administered(organisation_id, caller)
            member = await tx[MembershipRepository].get(user_id, organisation_id)
            await tx[AccountRepository].credentials_for_update(user_id)
            await tx[MembershipRepository].end(user_id, organisation_id)
            ended = await tx[SessionRepository].end_all(user_id)
            await self._ended(tx, user_id, organisation_id)
            await tx[AuditWriter].record(AuditEvent.MEMBERSHIP_ENDED, member.subject, reason=str(organisation_id))
        self._revocations.revoked(*ended)
        return len(ended)
