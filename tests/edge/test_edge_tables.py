"""The files that protos/ writes for Envoy: the tables of the Lua filter and the descriptors of the transcoder."""

import re
from pathlib import Path

import httpx
import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protos import rest_descriptors
from protos.edge_tables import GENERATED, EdgeTablesError, build, own_methods, to_lua, words
from server.edge import EdgeConfig, running
from tests.edge.toy import Toy
from tests.fixtures.proofs import control

DESCRIPTORS = (GENERATED / "descriptors.binpb").read_bytes()
FIELD = descriptor_pb2.FieldDescriptorProto


def changed(message: str, field: str, type_: "FIELD.Type.ValueType", type_name: str) -> bytes:
    """Returns the descriptor set with another type for one field."""
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS)
    found = [
        each
        for file in files.file
        for declared in file.message_type
        for each in declared.field
        if (declared.name, each.name) == (message, field)
    ]
    found[0].type, found[0].type_name = type_, type_name
    for file in files.file:
        if file.name == "medconnect/events/v1/events_service.proto":
            file.dependency.append("medconnect/clinical/v1/prescription.proto")
    return files.SerializeToString()


def pool_of(descriptors: bytes) -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file:
        pool.Add(file)
    return pool


def reached_messages(pool: descriptor_pool.DescriptorPool) -> list[Descriptor]:
    """Returns every request and response of our services, and every message in them."""
    waiting = [each for method in own_methods(DESCRIPTORS) for each in (method.input_type, method.output_type)]
    found = {message.full_name: pool.FindMessageTypeByName(message.full_name) for message in waiting}
    waiting = list(found.values())
    while waiting:
        inner = [field.message_type for field in waiting.pop().fields if field.message_type]
        new = [message for message in inner if message.full_name not in found]
        found.update({message.full_name: message for message in new})
        waiting += new
    return list(found.values())


def shape(field: FieldDescriptor) -> tuple[object, ...]:
    """Returns what REST and the wire show of a field."""
    message = field.message_type.full_name if field.message_type else ""
    return (field.name, field.json_name, field.number, field.type, field.is_repeated, field.has_presence, message)


def test_the_generated_files_are_of_the_present_protos() -> None:
    assert (GENERATED / "edge_tables.lua").read_text() == build(DESCRIPTORS)
    generated, built = (GENERATED / "rest_descriptors.binpb").read_bytes(), rest_descriptors.build(DESCRIPTORS)
    parse = descriptor_pb2.FileDescriptorSet.FromString  # the order of options depends on the modules imported so far
    assert parse(generated) == parse(built)


def test_every_stream_has_the_route_without_a_time_limit() -> None:
    template = (Path(__file__).parents[2] / "envoy.yaml").read_text()
    found = re.search(r'match: \{safe_regex: \{regex: "(.+?)"\}', template)
    assert found
    for method in own_methods(DESCRIPTORS):
        path = method.GetOptions().Extensions[annotations_pb2.http].get
        assert bool(re.fullmatch(found[1], path)) == method.server_streaming


def test_rest_descriptors_differ_only_in_enum_value_names() -> None:
    known, rest = pool_of(DESCRIPTORS), pool_of(rest_descriptors.build(DESCRIPTORS))
    for message in reached_messages(known):
        twin = rest.FindMessageTypeByName(message.full_name)
        assert [shape(field) for field in twin.fields] == [shape(field) for field in message.fields]
        for field, other in zip(message.fields, twin.fields, strict=True):
            if field.enum_type and other.enum_type:
                first = {value.number: value.name for value in reversed(other.enum_type.values)}
                short = {value.number: words(field.enum_type)[value.name] for value in field.enum_type.values}
                assert first == {**short, 0: field.enum_type.values_by_number[0].name}
                assert {value.name for value in field.enum_type.values} <= {v.name for v in other.enum_type.values}


def test_an_enum_inside_a_message_is_refused() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS)
    [file] = [file for file in files.file if file.name == "medconnect/auth/v1/user.proto"]
    file.message_type[0].enum_type.add(name="Inner")
    with pytest.raises(EdgeTablesError, match=r"User: an enum must not be inside a message"):
        rest_descriptors.build(files.SerializeToString())


def test_keys_that_lua_knows_as_words_are_quoted() -> None:
    assert to_lua({"end": "x", "a.b": True, "ending": False}) == '{["a.b"] = true, ["end"] = "x", ending = false}'


async def test_enums_in_events_are_short_words_too(tmp_path: Path) -> None:
    # int32 and enums look alike on the wire, so the toy needs no other messages.
    status = ".medconnect.clinical.v1.PrescriptionStatus"
    descriptors = changed("WatchEmailQueueStatusResponse", "completed_jobs", FIELD.TYPE_ENUM, status)
    (tmp_path / "rest_descriptors.binpb").write_bytes(rest_descriptors.build(descriptors))
    (tmp_path / "edge_tables.lua").write_text(build(descriptors))
    toy = Toy(tmp_path / "server-0.sock")
    await toy.start()
    config = EdgeConfig(home=tmp_path, server_sockets=(toy.socket,), port=0, generated=tmp_path)
    async with running(config) as edge, httpx.AsyncClient() as rest:
        url = "http://{}:{}/api/v1/events/email-queue/status/stream".format(*edge.address)
        async with rest.stream("GET", url, headers={"authorization": "Bearer x"}) as response:
            chunks = [chunk async for chunk in response.aiter_text()]
        assert await edge.admin.counter("http.rest.lua.envelope.errors") == 0
    await toy.stop()
    assert '"completedJobs":"pending"' in chunks[1]


@control("S87")
def test_a_path_that_the_edge_does_not_limit_is_refused() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS)
    [method] = [
        method
        for file in files.file
        for service in file.service
        for method in service.method
        if method.name == "GetKeySet"
    ]
    method.options.Extensions[annotations_pb2.http].get = "/.well-known/jwks.json"
    with pytest.raises(EdgeTablesError, match=r"GetKeySet: a path outside /api/"):
        build(files.SerializeToString())
