"""Invalid values in every field of every write, over gRPC and REST: refused by name, and nothing is stored."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from sqlalchemy import text

from server.clinical.storage.expiry import ExpiryRepository
from server.db.metadata import metadata
from tests.fixtures.actors import Actors
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import control
from tests.rpc import bad_values
from tests.rpc.calls import Answer, over_grpc, rest_answer, send
from tests.rpc.methods import WRITES, Rpc, json_of, rest_request
from tests.rpc.sound_requests import Sound, sound
from tests.rpc.sound_world import World

FED: Final = tuple(rpc for rpc in WRITES if rpc.descriptor.input_type.fields)
RESTLESS = frozenset(
    {"mail_workers", "background_tasks", "events", "audit_records", "audit_seals", "rate_limit_buckets"}
)
"""Heartbeats; refusals are recorded, and charged."""
IN_MOTION: Final = frozenset({"emails", "mail_workers"})
"""Tables that the worker writes to at any time: of emails only the number is compared."""
ABOUT_ANY_ACCOUNT: Final = frozenset({"DeactivateUser", "ReactivateUser", "EndUserSessions", "ResetSecondFactors"})
OVER_BOTH: Final = (bad_values.NUL, bad_values.TOO_LONG, bad_values.BLANK, bad_values.PRIVATE, "", 0, -1)
"""How many of the values that gRPC can carry are sent over REST."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a request, or of a message inside it, and the path to it."""

    field: FieldDescriptor
    above: tuple[FieldDescriptor, ...] = ()

    @property
    def whole(self) -> str:
        """The JSON path of the field; of a list on the path, the last of two elements."""
        steps = [f.json_name + ("[1]" if f.is_repeated else "") for f in self.above]
        return ".".join([*steps, self.field.json_name])

    @property
    def element(self) -> str:
        """The JSON path of the changed value: of a list its second element."""
        return self.whole + ("[1]" if self.field.is_repeated else "")

    @property
    def roughly(self) -> tuple[str, ...]:
        """The JSON paths by which Envoy may name it.

        For an object in place of a scalar it names the enclosing message; of a list of scalars always the first.
        """
        around = [Place(step, self.above[:depth]).element for depth, step in enumerate(self.above)]
        return (self.element, self.whole, f"{self.whole}[0]", *around)

    def fed(self, request: Message, value: Any) -> Message:
        """Returns the request with that value."""
        changed = copy.deepcopy(request)
        holder: Any = changed
        for step in self.above:
            inner = getattr(holder, step.name)
            holder = inner[1] if step.is_repeated else inner
        if self.field.is_repeated:
            getattr(holder, self.field.name)[1] = value
        else:
            setattr(holder, self.field.name, value)
        return changed

    def fed_json(self, request: Message, value: Any, *, element: bool) -> dict[str, Any]:
        """Returns the request's JSON with that value, for a list in place of its second element or of all of it."""
        body = json_of(request)
        holder: Any = body
        for step in self.above:
            holder = holder[step.json_name][1] if step.is_repeated else holder[step.json_name]
        if element:
            holder[self.field.json_name][1] = value
        else:
            holder[self.field.json_name] = value
        return body


def places(descriptor: Descriptor, above: tuple[FieldDescriptor, ...] = ()) -> Iterator[Place]:
    """Returns all fields of a message and its messages, except the one map, which `test_events_rpc` covers."""
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        yield Place(field, above)
        if field.message_type is not None:
            yield from places(field.message_type, (*above, field))


def filled(place: Place, request: Message) -> bool:
    """Returns whether the request sets the field."""
    holder: Any = request
    for step in place.above:
        inner = getattr(holder, step.name)
        if not inner if step.is_repeated else not holder.HasField(step.name):
            return False
        holder = inner[1] if step.is_repeated else inner
    value = getattr(holder, place.field.name)
    return bool(value.ByteSize() if isinstance(value, Message) else value)


@pytest.fixture(scope="module")
def world(actors: Actors) -> World:
    return World(actors)


@pytest.fixture(scope="module")
def foreign_ids(world: World) -> tuple[str, ...]:
    return world.foreign_ids()


@pytest.fixture(scope="module", params=FED, ids=lambda rpc: rpc.name)
def rpc(request: pytest.FixtureRequest) -> Rpc:
    found: Rpc = request.param
    return found


@pytest.fixture(scope="module")
def requests(rpc: Rpc, world: World, instance: RunningInstance, foreign_ids: tuple[str, ...]) -> Iterator[Sound]:
    """Yields valid requests of the method; after its tests, checks that nothing was stored and that they are accepted.

    pytest runs all tests of a method before those of the next one, because these fixtures are the module's. Tests that
    store anything must therefore stand in another module.
    """
    found = sound(rpc.name, world)
    before = stored(instance)
    yield found
    assert stored(instance) == before
    for request, actor in found.sent():
        answer = over_grpc(world.actors, rpc, request, actor)
        assert answer.ok, answer


def stored(instance: RunningInstance) -> dict[str, tuple[int, int]]:
    """Returns the number of rows of each table, and a checksum of their contents."""
    return instance.run(_stored(instance))


async def _stored(instance: RunningInstance) -> dict[str, tuple[int, int]]:
    found = {}
    async with instance.core.work.read() as tx:
        await tx[ExpiryRepository].expire_due()  # otherwise it is persisted between two readings
        for table in metadata.tables:
            contents = "0" if table in IN_MOTION else "coalesce(sum(hashtext(row::text)), 0)"
            row = await tx.connection.one(text(f"SELECT count(*), {contents} FROM {table} AS row"))  # noqa: S608
            found[table] = tuple(row)
    return {table: sums for table, sums in found.items() if table not in RESTLESS}


def base_of(place: Place, requests: Sound) -> Message:
    """Returns the first of the requests that sets the field."""
    return next(request for request in requests.requests if filled(place, request))


def fault(answer: Answer, *named: str) -> str | None:
    """Returns the fault in the refusal of an invalid value; `named` are the paths of which it must name one."""
    if answer.ok:
        return "was accepted"
    if answer.http == 404 and answer.reason == "RESOURCE_NOT_FOUND":
        return None
    if answer.http != 400 or answer.reason == "INVALID_ARGUMENT":
        return f"is answered {answer.http} {answer.reason}"
    return None if set(named) & set(answer.fields) else f"{answer.reason} names {answer.fields}"


def assert_none(faults: Iterable[tuple[str, Any, str | None]]) -> None:
    """Reports every fault: the field, the value and the result."""
    found = [f"{path} = {value!r:.60} {wrong}" for path, value, wrong in faults if wrong is not None]
    assert not found, "\n".join(found)


@control("S69")
def test_every_field_is_refused_what_it_must_not_hold(
    rpc: Rpc, requests: Sound, actors: Actors, foreign_ids: tuple[str, ...]
) -> None:
    faults = []
    for place in places(rpc.descriptor.input_type):
        if place.field.message_type is not None:
            continue
        base = base_of(place, requests)
        others = foreign_ids if place.field.name.endswith("_id") else ()
        if rpc.name in ABOUT_ANY_ACCOUNT:
            others = others[:-1]  # a patient's account is permitted here
        for value in [*bad_values.of_field(place.field), *others]:
            answer = over_grpc(actors, rpc, place.fed(base, value), requests.actor)
            faults.append((place.element, value, fault(answer, place.element)))
    assert_none(faults)


@control("S69")
def test_every_field_is_refused_what_only_json_can_say(rpc: Rpc, requests: Sound, actors: Actors) -> None:
    faults = []
    for place in places(rpc.descriptor.input_type):
        if place.field.json_name in rpc.in_path:
            continue
        base = base_of(place, requests)
        for value, element in json_values(place):
            body = place.fed_json(base, value, element=element)
            answer = send(actors, rpc, body, requests.headers)
            unreadable = answer.reason == "MALFORMED_BODY" and bad_values.unreadable(value)
            found = None if unreadable else fault(answer, *place.roughly)
            faults.append((place.element, value, found))
    assert_none(faults)


def json_values(place: Place) -> Iterator[tuple[Any, bool]]:
    """Returns invalid values, and whether they replace an element or, of a list, all of it."""
    repeated = place.field.is_repeated
    for value in bad_values.of_json(place.field):
        yield value, repeated
    if repeated:
        yield from ((value, False) for value in bad_values.JSON_LISTS)
    if place.field.message_type is None:
        fitting = [bad for bad in bad_values.of_field(place.field) if any(bad is value for value in OVER_BOTH)]
        yield from ((value, repeated) for value in fitting)


def test_a_list_is_refused_more_elements_than_it_may_have(rpc: Rpc, requests: Sound, actors: Actors) -> None:
    for place in places(rpc.descriptor.input_type):
        if not place.field.is_repeated:
            continue
        base = base_of(place, requests)
        elements = getattr(base, place.field.name)
        for count in (51, 500):
            crowded = copy.deepcopy(base)
            crowded.ClearField(place.field.name)
            getattr(crowded, place.field.name).extend([elements[0]] * count)
            answer = over_grpc(actors, rpc, crowded, requests.actor)
            assert (answer.http, answer.reason, answer.fields) == (400, "VALIDATION_FAILED", (place.whole,))


def test_a_field_in_the_path_is_refused_what_it_must_not_hold(rpc: Rpc, requests: Sound, actors: Actors) -> None:
    faults = []
    base = json_of(requests.requests[0])
    for name in rpc.in_path:
        for value in (*bad_values.IDENTIFIERS, bad_values.NUL, "x" * 2_000, "..", "%", "/", "a/../b", "é"):
            answer = send(actors, rpc, {**base, name: value}, requests.headers)
            unrouted = answer.http in (404, 400) and answer.reason in ("ROUTE_UNKNOWN", "MALFORMED_REQUEST")
            faults.append((name, value, None if unrouted else fault(answer, name)))
    assert_none(faults)


def test_a_body_that_is_no_object_is_refused(rpc: Rpc, requests: Sound, actors: Actors) -> None:
    path, _ = rest_request(rpc, json_of(requests.requests[0]))
    headers = {**requests.headers, "content-type": "application/json"}
    for body in bad_values.BODIES:
        answer = rest_answer(actors.http.request(rpc.verb, path, headers=headers, content=body))
        assert (answer.http, answer.reason) == (400, "MALFORMED_BODY"), body[:20]


@control("S69")
def test_there_are_over_120_bad_values() -> None:
    lists = (value for value in vars(bad_values).values() if isinstance(value, tuple | list))
    assert len({repr(value) for values in lists for value in values}) > 120
