"""Valid requests of the methods of organisations: about HC's pharmacy on a stage, and with every field filled in."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message
from medconnect.auth.v1 import organisation_pb2 as pb

from tests.fixtures.actors import Actor, Actors, new_address
from tests.rpc.signed_in_stage import SignedInStage

ADMINISTRATOR: Final = pb.MEMBER_RIGHT_ADMINISTRATOR
SoundRequests: TypeAlias = Callable[[Actors], tuple[Actor, tuple[Message, ...]]]
"""Returns the sender and the requests."""


def _create(**more: str) -> Message:
    return pb.CreateOrganisationRequest(
        kind=pb.ORGANISATION_KIND_HOSPITAL, name="St. Luke's", address=new_address(), **more
    )


def _update(organisation_id: str) -> Message:
    return pb.UpdateOrganisationRequest(organisation_id=organisation_id, phone="+49 30 4714")


def _add(actors: Actors, organisation_id: str, **more: Any) -> pb.AddMemberRequest:
    """Adds a pharmacist who is a member of no pharmacy, so that its administrators may."""
    email = actors.without_pharmacy().email
    return pb.AddMemberRequest(organisation_id=organisation_id, email=email, **more)


def _change_right(organisation_id: str, user_id: str) -> Message:
    return pb.ChangeMemberRightRequest(organisation_id=organisation_id, user_id=user_id, member_right=ADMINISTRATOR)


def _end(actors: Actors, organisation_id: str) -> Message:
    return pb.EndMembershipRequest(organisation_id=organisation_id, user_id=_member(actors, organisation_id))


def _member(actors: Actors, organisation_id: str) -> str:
    """Returns the account of a new member."""
    request = _add(actors, organisation_id)
    return actors.organisations.AddMember(request, metadata=actors.admin.metadata).member.user_id


ABOUT_ORGANISATIONS: Final[Mapping[str, Callable[[SignedInStage], Message]]] = {
    "CreateOrganisation": lambda _: _create(),
    "ListOrganisations": lambda _: pb.ListOrganisationsRequest(search="corner"),
    "GetOrganisation": lambda stage: pb.GetOrganisationRequest(organisation_id=stage.pharmacy_id),
    "UpdateOrganisation": lambda stage: _update(stage.actors.new_organisation()),
    "CloseOrganisation": lambda stage: pb.CloseOrganisationRequest(organisation_id=stage.actors.new_organisation()),
    "ListMembers": lambda stage: pb.ListMembersRequest(organisation_id=stage.pharmacy_id, page_size=100),
    "AddMember": lambda stage: _add(stage.actors, stage.pharmacy_id),
    "ChangeMemberRight": lambda stage: _change_right(stage.pharmacy_id, stage["HA"].user_id),
    "EndMembership": lambda stage: _end(stage.actors, stage.pharmacy_id),
    "ListMyMemberships": lambda _: pb.ListMyMembershipsRequest(),
    "ChooseOrganisation": lambda stage: pb.ChooseOrganisationRequest(organisation_id=stage.pharmacy_id),
}


def _created(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    return actors.admin, (_create(register_number="H-7", phone="+49 30 123456"),)


def _updated(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    update, organisation_id = pb.UpdateOrganisationRequest, actors.new_organisation()
    given = {"name": "Harbour", "register_number": "PH-7", "address": new_address(), "phone": "+49 30 123456"}
    cleared = update(organisation_id=organisation_id, clear=["registerNumber", "phone"])
    return actors.admin, (update(organisation_id=organisation_id, **given), cleared)


def _closed(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    return actors.admin, (pb.CloseOrganisationRequest(organisation_id=actors.new_organisation()),)


def _added(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    return actors.admin, (_add(actors, actors.new_organisation(), member_right=ADMINISTRATOR),)


def _right_changed(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    organisation_id = actors.new_organisation()
    return actors.admin, (_change_right(organisation_id, _member(actors, organisation_id)),)


def _ended(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    return actors.admin, (_end(actors, actors.new_organisation()),)


def _chosen(actors: Actors) -> tuple[Actor, tuple[Message, ...]]:
    member = actors.new_pharmacist()
    return member, (pb.ChooseOrganisationRequest(organisation_id=actors.organisation_of(member)),)


SOUND_ORGANISATIONS: Final[Mapping[str, SoundRequests]] = {
    "CreateOrganisation": _created,
    "UpdateOrganisation": _updated,
    "CloseOrganisation": _closed,
    "AddMember": _added,
    "ChangeMemberRight": _right_changed,
    "EndMembership": _ended,
    "ChooseOrganisation": _chosen,
}
