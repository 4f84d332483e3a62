"""Calls about hospitals and pharmacies, and their members."""

from collections.abc import AsyncIterator

from medconnect.auth.v1 import organisation_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._session import Session
from medconnect_client._wire import filled, read
from medconnect_client.models import (
    Member,
    MemberRight,
    Membership,
    NewOrganisation,
    Organisation,
    OrganisationChanges,
    OrganisationKind,
)


class AsyncOrganisations:
    """The Organisation service.

    Methods about one organisation are for admins, and those about its members for its administrators too.
    """

    def __init__(self, calls: Calls, session: Session) -> None:
        self._calls = calls
        self._session = session

    async def create(self, organisation: NewOrganisation, *, idempotency_key: str | None = None) -> Organisation:
        """Creates an organisation (admins). Raises AlreadyExists for an open one with an equal name and address."""
        request = filled(pb.CreateOrganisationRequest, organisation)
        answer = await self._calls.unary(request, pb.CreateOrganisationResponse, key=idempotency_key)
        return read(Organisation, answer.organisation)

    def list(self, *, kind: OrganisationKind | None = None, search: str | None = None) -> AsyncIterator[Organisation]:
        """Lists organisations, newest first (admins). search: the beginning of a name."""
        request = filled(pb.ListOrganisationsRequest, kind=kind, search=search)
        return self._calls.listed(request, pb.ListOrganisationsResponse, Organisation)

    async def get(self, organisation_id: str) -> Organisation:
        """Gets an organisation. Raises NotFound, also for one that the caller does not administer."""
        request = pb.GetOrganisationRequest(organisation_id=organisation_id)
        return read(Organisation, (await self._calls.unary(request, pb.GetOrganisationResponse)).organisation)

    async def update(
        self, organisation_id: str, changes: OrganisationChanges, *, idempotency_key: str | None = None
    ) -> Organisation:
        """Updates the given fields of an open organisation (admins). Raises NotFound, AlreadyExists."""
        request = filled(pb.UpdateOrganisationRequest, changes, organisation_id=organisation_id)
        answer = await self._calls.unary(request, pb.UpdateOrganisationResponse, key=idempotency_key)
        return read(Organisation, answer.organisation)

    async def close(self, organisation_id: str, *, idempotency_key: str | None = None) -> Organisation:
        """Closes an organisation for good, and ends its memberships and claims (admins). Raises NotFound."""
        request = pb.CloseOrganisationRequest(organisation_id=organisation_id)
        answer = await self._calls.unary(request, pb.CloseOrganisationResponse, key=idempotency_key)
        return read(Organisation, answer.organisation)

    def members(self, organisation_id: str) -> AsyncIterator[Member]:
        """Lists the current members, newest first. Raises NotFound."""
        request = pb.ListMembersRequest(organisation_id=organisation_id)
        return self._calls.listed(request, pb.ListMembersResponse, Member)

    async def add_member(
        self,
        organisation_id: str,
        email: str,
        right: MemberRight | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Member:
        """Makes the account with an email address a member; administrators add accounts that are members of none.

        Raises NotFound, also for an account that the caller cannot add, and StepUpRequired.
        """
        request = filled(pb.AddMemberRequest, organisation_id=organisation_id, email=email, member_right=right)
        return read(Member, (await self._calls.unary(request, pb.AddMemberResponse, key=idempotency_key)).member)

    async def change_right(
        self, organisation_id: str, user_id: str, right: MemberRight, *, idempotency_key: str | None = None
    ) -> Member:
        """Changes the right of a current member. Raises NotFound, StepUpRequired."""
        named = {"organisation_id": organisation_id, "user_id": user_id}
        request = filled(pb.ChangeMemberRightRequest, member_right=right, **named)
        answer = await self._calls.unary(request, pb.ChangeMemberRightResponse, key=idempotency_key)
        return read(Member, answer.member)

    async def end_membership(self, organisation_id: str, user_id: str, *, idempotency_key: str | None = None) -> int:
        """Ends a membership and all sessions of the account. Returns how many sessions. Raises NotFound."""
        request = pb.EndMembershipRequest(organisation_id=organisation_id, user_id=user_id)
        answer = await self._calls.unary(request, pb.EndMembershipResponse, key=idempotency_key)
        return answer.ended_sessions

    async def own(self) -> tuple[Membership, ...]:
        """Lists the caller's own current memberships, oldest first."""
        answer = await self._calls.unary(pb.ListMyMembershipsRequest(), pb.ListMyMembershipsResponse)
        return tuple(read(Membership, one) for one in answer.memberships)

    async def choose(self, organisation_id: str, *, idempotency_key: str | None = None) -> Membership:
        """Chooses the organisation for which this client's session acts. Raises NotFound."""
        request = pb.ChooseOrganisationRequest(organisation_id=organisation_id)
        answer = await self._calls.unary(request, pb.ChooseOrganisationResponse, key=idempotency_key)
        await self._session.exchanged()
        return read(Membership, answer.membership)
