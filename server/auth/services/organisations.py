"""Use cases of organisations: admins create, update and close them, callers choose for which one they act."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.organisation_entities import (
    Membership,
    NewOrganisation,
    Organisation,
    OrganisationChange,
    OrganisationFilter,
)
from server.auth.rules.organisations import CHANGEABLE, changed
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.memberships import MembershipRepository
from server.auth.storage.organisations import OrganisationRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import NotFound
from server.identity import Caller
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens

OrganisationEnded = Callable[[Transaction, Collection[UUID], UUID], Awaitable[None]]
"""Ends what an organisation holds when it is closed. Arguments: transaction, its members until then, its id.

The pharmacy slice provides it.
"""


class OrganisationService:
    """Implements the use cases of organisations. ended: ends the claims of a closed pharmacy."""

    def __init__(
        self, work: UnitOfWork, page_tokens: PageTokens, revocations: RevocationCache, ended: OrganisationEnded
    ) -> None:
        self._work = work
        self._revocations = revocations
        self._ended = ended
        self._organisations = Listing[Organisation, MomentAndId](
            page_tokens, "ListOrganisations", BY_MOMENT, lambda one: (one.created_at, one.id)
        )

    async def create(self, new: NewOrganisation) -> Organisation:
        """Stores an organisation. Raises OrganisationExists."""
        async with self._work.begin() as tx:
            organisation = await tx[OrganisationRepository].insert(new)
            await tx[AuditWriter].record(AuditEvent.ORGANISATION_CREATED, organisation.subject)
        return organisation

    async def list_organisations(
        self, caller: Caller, wanted: OrganisationFilter, page: PageRequest
    ) -> Page[Organisation]:
        """Returns a page of organisations, newest first. Raises PageTokenInvalid."""
        query = self._organisations.query(caller, page, wanted.kind, wanted.search)
        async with self._work.read() as tx:
            return query.page(*await tx[OrganisationRepository].newest(wanted, query.after, query.size))

    async def get(self, caller: Caller, organisation_id: UUID) -> Organisation:
        """Returns an organisation to an admin or an administrator of it. Raises NotFound."""
        async with self._work.read() as tx:
            return await tx[OrganisationRepository].read(organisation_id, caller)

    async def update(self, organisation_id: UUID, change: OrganisationChange) -> Organisation:
        """Changes the given fields of an open organisation.

        Raises NotFound, OrganisationClosed, OrganisationExists and ValidationFailed.
        """
        async with self._work.begin() as tx:
            before = await tx[OrganisationRepository].get_for_update(organisation_id)
            after = changed(before, change)
            await tx[OrganisationRepository].save(after)
            names = ", ".join(name for name in CHANGEABLE if getattr(before, name) != getattr(after, name))
            await tx[AuditWriter].record(AuditEvent.ORGANISATION_UPDATED, after.subject, reason=names)
        return after

    async def close(self, organisation_id: UUID) -> tuple[Organisation, int]:
        """Closes an organisation, and ends its memberships, its claims and all sessions of its members.

        Returns it, and the number of memberships that ended; repeating it changes nothing. Raises NotFound.
        """
        async with self._work.begin() as tx:
            organisation = await tx[OrganisationRepository].get_for_update(organisation_id)
            members = await tx[MembershipRepository].end_all(organisation_id)
            if organisation.closed_at is None:
                organisation = await tx[OrganisationRepository].close(organisation_id)
            await self._ended(tx, members, organisation_id)
            ended = await tx[SessionRepository].end_all_of(members)
            await tx[AuditWriter].record(AuditEvent.ORGANISATION_CLOSED, organisation.subject)
        self._revocations.revoked(*ended)
        return organisation, len(members)

    async def list_own(self, caller: Caller) -> Sequence[Membership]:
        """Returns the caller's current memberships, oldest first."""
        async with self._work.read() as tx:
            return await tx[MembershipRepository].own(caller.user_id)

    async def choose(self, caller: Caller, organisation_id: UUID) -> Membership:
        """Lets the caller's session act for an organisation of theirs, as the next access token states.

        Raises NotFound.
        """
        async with self._work.begin() as tx:
            await tx[MembershipRepository].choose(caller, organisation_id)
            own = await tx[MembershipRepository].own(caller.user_id)
            chosen = next((one for one in own if one.organisation.id == organisation_id), None)
            if chosen is None:
                raise NotFound("organisation")
            await tx[AuditWriter].record(AuditEvent.ORGANISATION_CHOSEN, chosen.organisation.subject)
        return chosen
