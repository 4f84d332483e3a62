"""Damaged bodies, over all methods, by every role: each is refused properly, and nothing breaks.

Of protobuf 1,000 are sent and of JSON 400; `--mutations=100000` sends as many, and of JSON a twentieth. A failure shows
the body, and the seed: `--seed=…` does the same damage again.
"""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from medconnect.auth.v1 import auth_service_pb2
from medconnect.options.v1 import access_pb2

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.rpc.access_table import CELLS
from tests.rpc.calls import refusal, rest_answer
from tests.rpc.methods import RPCS, WRITES, Rpc, access_of, json_of, rest_request
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage
from tests.rpc.sound_requests import sound
from tests.rpc.sound_world import World
from tests.security.mutations import mutated, mutated_json, mutated_text

CODE: Final = grpc.StatusCode
POLITE: Final = frozenset(
    {
        *(CODE.OK, CODE.INVALID_ARGUMENT, CODE.OUT_OF_RANGE, CODE.UNAUTHENTICATED, CODE.PERMISSION_DENIED),
        *(CODE.NOT_FOUND, CODE.FAILED_PRECONDITION, CODE.ALREADY_EXISTS, CODE.ABORTED, CODE.RESOURCE_EXHAUSTED),
    }
)
IN_FLIGHT: Final = 16
PROTOBUF_BODIES: Final = 1_000
JSON_BODIES: Final = 400
HASHING: Final = frozenset({"Login", "Register", "CreateUser", "ChangePassword", "ResetPassword"})
"""A valid password costs 20 ms of both cores: these are called a tenth as often."""

SIGNING_OUT: Final = frozenset({"Logout", "UpdateCurrentUser"})
"""A member of staff who changes a licence or workplace must be verified again."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Accounts of every role that no other test uses, and a valid request of every method."""

    stage: SignedInStage
    people: Mapping[access_pb2.Role.ValueType, Actor]
    requests: Mapping[str, Sequence[Message]]

    def draw(self, chance: random.Random) -> tuple[Rpc, Message, Actor | None]:
        """Returns a method, a request, and mostly a permitted caller."""
        weights = [0.1 if name in HASHING else 1.0 for name in self.requests]
        [name] = chance.choices(list(self.requests), weights)
        allowed = access_of(RPCS[name]).roles or list(self.people)
        callers = [None, *self.people.values(), *[self.people[role] for role in allowed] * 6]
        return RPCS[name], chance.choice(self.requests[name]), chance.choice(callers)

    async def lasting(self, rpc: Rpc, actor: Actor | None) -> Actor | None:
        """Returns the caller, or another account for methods that sign the caller out."""
        if actor is None or rpc.name not in SIGNING_OUT:
            return actor
        return (await asyncio.to_thread(self.stage.another_session, self.stage.lodger))[0]


@pytest.fixture(scope="module")
def crowd(actors: Actors) -> Crowd:
    stage, world = SignedInStage(actors), World(actors)
    role = access_pb2.Role
    people = {
        role.ROLE_PATIENT: actors.new_patient(),
        role.ROLE_DOCTOR: actors.new_doctor(),
        role.ROLE_PHARMACIST: actors.new_pharmacist(),
        role.ROLE_ADMIN: another_admin(actors),
    }
    scenes = {cell.rpc: cell.scene for cell in CELLS}
    requests: dict[str, Sequence[Message]] = {}
    for name, rpc in RPCS.items():
        if rpc in WRITES and rpc.descriptor.input_type.fields:
            requests[name] = sound(name, world).requests
        else:
            requests[name] = [request_for(stage, name, stage.prescription(scenes[name], fresh=False))]
    return Crowd(stage, people, requests)


def another_admin(actors: Actors) -> Actor:
    request = auth_service_pb2.CreateUserRequest(
        email=new_email(), password=PASSWORD, full_name="Ada Admin", role=access_pb2.ROLE_ADMIN
    )
    actors.auth.CreateUser(request, metadata=actors.admin.metadata)
    return actors.sign_in(request.email)


@pytest.fixture
def mutations(request: pytest.FixtureRequest) -> int | None:
    """Returns how many bodies to send, if the option is given."""
    count: int | None = request.config.getoption("--mutations")
    return count


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Returns the given seed or a new one; it is shown when the test fails."""
    given: int | None = request.config.getoption("--seed")
    drawn = secrets.randbits(32) if given is None else given
    print(f"seed {drawn}")
    return drawn


async def test_mutated_protobuf_bodies_are_refused_politely(
    actors: Actors, crowd: Crowd, seed: int, mutations: int | None
) -> None:
    chance = random.Random(seed)
    async with grpc.aio.insecure_channel(actors.instance.grpc) as channel:

        async def send() -> str:
            rpc, request, actor = crowd.draw(chance)
            _, other, _ = crowd.draw(chance)
            body = mutated(request.SerializeToString(), other.SerializeToString(), chance)
            code = await code_of(channel, rpc, body, await crowd.lasting(rpc, actor))
            assert code in POLITE, (rpc.name, code, body.hex())
            return str(code.name)

        tally = await many_times(send, mutations or PROTOBUF_BODIES)
        await assert_unharmed(channel, crowd)
    report("protobuf", tally)
    assert {"OK", "INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED"} <= tally.keys()


async def test_mutated_json_paths_and_queries_are_refused_properly(
    actors: Actors, crowd: Crowd, seed: int, mutations: int | None
) -> None:
    chance = random.Random(seed)
    base_url = str(actors.http.base_url)
    async with (
        httpx.AsyncClient(timeout=30) as http,
        grpc.aio.insecure_channel(actors.instance.grpc) as channel,
    ):

        async def send() -> str:
            rpc, message, actor = crowd.draw(chance)
            request = damaged_request(http, base_url, rpc, json_of(message), chance)
            actor = await crowd.lasting(rpc, actor)
            request.headers.update(actor.headers if actor else {})
            status = await status_of(http, request)
            assert status < 500 or status == 503, (rpc.name, status, request.url, request.content[:2_000])
            return str(status)

        tally = await many_times(send, mutations // 20 if mutations else JSON_BODIES)
        await assert_unharmed(channel, crowd)
    report("JSON", tally)
    assert {"200", "400", "401", "403", "404"} <= tally.keys()


def damaged_request(
    http: httpx.AsyncClient, base_url: str, rpc: Rpc, fields: dict[str, Any], chance: random.Random
) -> httpx.Request:
    """Returns a REST call with a damaged body, or a damaged path or query if it has no body."""
    path, _ = rest_request(rpc, fields)
    if rpc.verb == "GET":
        if rpc.in_path and chance.random() < 0.5:
            path = path.replace(str(fields[chance.choice(sorted(rpc.in_path))]), mutated_text(chance))
        names = [field.json_name for field in rpc.descriptor.input_type.fields if field.json_name not in rpc.in_path]
        query = f"{chance.choice([*names, mutated_text(chance)])}={mutated_text(chance)}"
        return http.build_request("GET", httpx.URL(f"{base_url}{path.lstrip('/')}?{query}"))
    rest = {name: value for name, value in fields.items() if name not in rpc.in_path}
    headers = {"content-type": "application/json"}
    return http.build_request(
        rpc.verb, f"{base_url}{path.lstrip('/')}", content=mutated_json(rest, chance), headers=headers
    )


async def status_of(http: httpx.AsyncClient, request: httpx.Request) -> int:
    """Returns the status of the answer; an error must have the contract's shape, a stream is left at once."""
    response = await http.send(request, stream=True)
    try:
        if response.headers["content-type"] != "text/event-stream":
            await response.aread()
            rest_answer(response)
    finally:
        await response.aclose()
    return response.status_code


async def code_of(channel: grpc.aio.Channel, rpc: Rpc, body: bytes, actor: Actor | None) -> grpc.StatusCode:
    """Returns how a call with that body ends; a stream is left after its first message."""
    path = f"/{rpc.descriptor.containing_service.full_name}/{rpc.name}"
    metadata = actor.metadata if actor else ()
    opened: Any = channel.unary_stream if rpc.descriptor.server_streaming else channel.unary_unary
    call = opened(path)(body, metadata=metadata, timeout=20)
    try:
        if rpc.descriptor.server_streaming:
            await anext(aiter(call))
            call.cancel()
        else:
            await call
    except grpc.aio.AioRpcError as error:
        refusal(error)
        return error.code()
    return CODE.OK


async def many_times(send: Callable[[], Awaitable[str]], count: int) -> Counter[str]:
    """Sends that many bodies, IN_FLIGHT at once; returns how often each answer came."""
    tally: Counter[str] = Counter()
    turns = iter(range(count))

    async def go_on() -> None:
        for _ in turns:
            tally[await send()] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(go_on())
    return tally


async def assert_unharmed(channel: grpc.aio.Channel, crowd: Crowd) -> None:
    """Checks that the server is healthy and every account still signed in: the calls were really authenticated."""
    check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
    health = health_pb2.HealthCheckResponse.FromString(await check(b"", timeout=5))
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    for actor in crowd.people.values():
        assert await code_of(channel, RPCS["GetCurrentUser"], b"", actor) is CODE.OK


def report(what: str, tally: Counter[str]) -> None:
    """Prints the counts; shown when the test fails, or by `pytest -s`."""
    print(what, tally.total(), dict(tally.most_common()))
