"""Texts with what is pasted unseen are accepted in every field of every write, over gRPC and REST."""

import copy

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from medconnect.options.v1 import access_pb2

from tests.fixtures.actors import Actors
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.rpc.calls import FACES
from tests.rpc.methods import Rpc
from tests.rpc.sound_requests import sound
from tests.rpc.sound_world import World
from tests.rpc.test_bad_input import FED, filled, places


@pytest.fixture(scope="module")
def world(actors: Actors) -> World:
    return World(actors)


@control("S89")
@cells("face", FACES)
@cells("rpc", FED, ids=lambda rpc: rpc.name)
def test_every_text_is_taken_with_what_is_pasted_unseen(world: World, rpc: Rpc, face: str) -> None:
    for request, actor in sound(rpc.name, world).sent():
        answer = FACES[face](world.actors, rpc, pasted(request), actor)
        assert answer.ok, (face, answer)


def pasted(request: Message) -> Message:
    """Returns the request with a byte order mark before each text, embeddings, and a zero width space after it."""
    wrapped = copy.deepcopy(request)
    for field, value in request.ListFields():
        if field.message_type is not None or field.type != FieldDescriptor.TYPE_STRING or is_verbatim(field):
            continue
        if field.is_repeated:
            getattr(wrapped, field.name)[:] = [f"\ufeff\u202a{text}\u202c\u200b" for text in value]
        else:
            setattr(wrapped, field.name, f"\ufeff\u202a{value}\u202c\u200b")
    for field in (field for field, _ in request.ListFields() if nested(field)):
        inner = getattr(wrapped, field.name)
        for one in inner if field.is_repeated else [inner]:
            one.CopyFrom(pasted(one))
    return wrapped


def is_verbatim(field: FieldDescriptor) -> bool:
    """Returns whether the field is compared as sent; of these only a QR code is pasted."""
    return field.GetOptions().Extensions[access_pb2.text] == access_pb2.TEXT_VERBATIM and field.name != "qr_code"


def nested(field: FieldDescriptor) -> bool:
    """Returns whether the field holds a message of our own."""
    return field.message_type is not None and not field.message_type.GetOptions().map_entry


def test_every_field_of_every_write_is_fed(world: World) -> None:
    """The tests of invalid values would not cover a field that no valid request sets."""
    for rpc in FED:
        requests = sound(rpc.name, world)
        for place in places(rpc.descriptor.input_type):
            assert any(filled(place, request) for request in requests.requests), (rpc.name, place.whole)
