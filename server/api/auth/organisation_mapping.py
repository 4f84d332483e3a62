"""Maps messages and entities of organisations and their members to each other."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from medconnect.auth.v1 import organisation_pb2 as pb

from server.api.wire import enum_pair, fill_page, timestamp
from server.auth.organisation_entities import (
    Member,
    MemberRight,
    Membership,
    NewOrganisation,
    Organisation,
    OrganisationChange,
    OrganisationFilter,
    OrganisationKind,
)
from server.auth.rules.organisations import CHANGEABLE
from server.pagination import Page

_KIND_NUMBERS, _KINDS = enum_pair(pb.OrganisationKind, OrganisationKind, "ORGANISATION_KIND")
_RIGHT_NUMBERS, RIGHTS = enum_pair(pb.MemberRight, MemberRight, "MEMBER_RIGHT")
_FIRST_RIGHT: Final = MemberRight.MEMBER


def new_organisation(request: pb.CreateOrganisationRequest) -> NewOrganisation:
    """Returns the organisation to store."""
    return NewOrganisation(_KINDS[request.kind], request.name, request.register_number, request.address, request.phone)


def organisation_filter(request: pb.ListOrganisationsRequest) -> OrganisationFilter:
    """Returns the filter of a list of organisations."""
    return OrganisationFilter(_KINDS.get(request.kind), request.search or None)


def organisation_change(request: pb.UpdateOrganisationRequest) -> OrganisationChange:
    """Returns the changes that an admin requests."""
    given = {name: getattr(request, name) for name in CHANGEABLE if request.HasField(name)}
    return OrganisationChange(**given, clear=frozenset(request.clear))


def right_of(request: pb.AddMemberRequest) -> MemberRight:
    """Returns the right of a new member."""
    return RIGHTS.get(request.member_right, _FIRST_RIGHT)


def organisation_message(organisation: Organisation) -> pb.Organisation:
    """Returns an organisation."""
    return pb.Organisation(
        id=str(organisation.id),
        kind=_KIND_NUMBERS[organisation.kind],
        name=organisation.name,
        register_number=organisation.register_number,
        address=organisation.address,
        phone=organisation.phone,
        created_at=timestamp(organisation.created_at),
        closed_at=None if organisation.closed_at is None else timestamp(organisation.closed_at),
    )


def organisations_response(page: Page[Organisation]) -> pb.ListOrganisationsResponse:
    """Returns the response with a page of organisations."""
    response = pb.ListOrganisationsResponse(organisations=map(organisation_message, page.items))
    fill_page(response, page)
    return response


def member_message(member: Member) -> pb.Member:
    """Returns a member as administrators see it."""
    return pb.Member(
        user_id=str(member.user_id),
        full_name=member.full_name,
        email=member.email,
        member_right=_RIGHT_NUMBERS[member.right],
        since=timestamp(member.since),
    )


def members_response(page: Page[Member]) -> pb.ListMembersResponse:
    """Returns the response with a page of members."""
    response = pb.ListMembersResponse(members=map(member_message, page.items))
    fill_page(response, page)
    return response


def membership_message(membership: Membership, current: UUID | None) -> pb.Membership:
    """Returns a membership; current: the organisation for which the session of the call acts."""
    return pb.Membership(
        organisation=organisation_message(membership.organisation),
        member_right=_RIGHT_NUMBERS[membership.right],
        since=timestamp(membership.since),
        current=membership.organisation.id == current,
    )


def memberships_response(found: Iterable[Membership], current: UUID | None) -> pb.ListMyMembershipsResponse:
    """Returns the response with the caller's memberships."""
    return pb.ListMyMembershipsResponse(memberships=(membership_message(one, current) for one in found))
