"""The gRPC servicer of OrganisationService."""

from typing import Any

import grpc
from medconnect.auth.v1 import organisation_service_pb2 as pb
from medconnect.auth.v1 import organisation_service_pb2_grpc

from server.api.auth import organisation_mapping as mapping
from server.api.wire import page_request, read_uuid
from server.auth.services.members import MemberService
from server.auth.services.organisations import OrganisationService
from server.identity import current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class OrganisationServicer(organisation_service_pb2_grpc.OrganisationServiceServicer):
    """Maps each call to the services and their results to responses."""

    def __init__(self, organisations: OrganisationService, members: MemberService) -> None:
        self._organisations = organisations
        self._members = members

    async def CreateOrganisation(
        self, request: pb.CreateOrganisationRequest, context: Context
    ) -> pb.CreateOrganisationResponse:
        made = await self._organisations.create(mapping.new_organisation(request))
        return pb.CreateOrganisationResponse(organisation=mapping.organisation_message(made))

    async def ListOrganisations(
        self, request: pb.ListOrganisationsRequest, context: Context
    ) -> pb.ListOrganisationsResponse:
        wanted = mapping.organisation_filter(request)
        page = await self._organisations.list_organisations(current_caller(), wanted, page_request(request))
        return mapping.organisations_response(page)

    async def GetOrganisation(self, request: pb.GetOrganisationRequest, context: Context) -> pb.GetOrganisationResponse:
        found = await self._organisations.get(current_caller(), read_uuid(request.organisation_id))
        return pb.GetOrganisationResponse(organisation=mapping.organisation_message(found))

    async def UpdateOrganisation(
        self, request: pb.UpdateOrganisationRequest, context: Context
    ) -> pb.UpdateOrganisationResponse:
        change = mapping.organisation_change(request)
        updated = await self._organisations.update(read_uuid(request.organisation_id), change)
        return pb.UpdateOrganisationResponse(organisation=mapping.organisation_message(updated))

    async def CloseOrganisation(
        self, request: pb.CloseOrganisationRequest, context: Context
    ) -> pb.CloseOrganisationResponse:
        closed, ended = await self._organisations.close(read_uuid(request.organisation_id))
        return pb.CloseOrganisationResponse(organisation=mapping.organisation_message(closed), ended_memberships=ended)

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> pb.ListMembersResponse:
        caller, organisation_id = current_caller(), read_uuid(request.organisation_id)
        page = await self._members.list_members(caller, organisation_id, page_request(request))
        return mapping.members_response(page)

    async def AddMember(self, request: pb.AddMemberRequest, context: Context) -> pb.AddMemberResponse:
        caller, organisation_id = current_caller(), read_uuid(request.organisation_id)
        member = await self._members.add(caller, organisation_id, request.email, mapping.right_of(request))
        return pb.AddMemberResponse(member=mapping.member_message(member))

    async def ChangeMemberRight(
        self, request: pb.ChangeMemberRightRequest, context: Context
    ) -> pb.ChangeMemberRightResponse:
        organisation_id, user_id = read_uuid(request.organisation_id), read_uuid(request.user_id)
        right = mapping.RIGHTS[request.member_right]
        member = await self._members.change_right(current_caller(), organisation_id, user_id, right)
        return pb.ChangeMemberRightResponse(member=mapping.member_message(member))

    async def EndMembership(self, request: pb.EndMembershipRequest, context: Context) -> pb.EndMembershipResponse:
        organisation_id, user_id = read_uuid(request.organisation_id), read_uuid(request.user_id)
        ended = await self._members.end(current_caller(), organisation_id, user_id)
        return pb.EndMembershipResponse(ended_sessions=ended)

    async def ListMyMemberships(
        self, request: pb.ListMyMembershipsRequest, context: Context
    ) -> pb.ListMyMembershipsResponse:
        caller = current_caller()
        return mapping.memberships_response(await self._organisations.list_own(caller), caller.organisation_id)

    async def ChooseOrganisation(
        self, request: pb.ChooseOrganisationRequest, context: Context
    ) -> pb.ChooseOrganisationResponse:
        organisation_id = read_uuid(request.organisation_id)
        chosen = await self._organisations.choose(current_caller(), organisation_id)
        return pb.ChooseOrganisationResponse(membership=mapping.membership_message(chosen, organisation_id))
