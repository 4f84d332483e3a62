"""The tables that protos/edge_tables.py writes for the Lua filter, and the protos that it refuses."""

import re
from pathlib import Path

import httpx
import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from protos.edge_tables import GENERATED, EdgeTablesError, build, own_methods, to_lua
from server.edge import EdgeConfig, running
from tests.edge.toy import Toy

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


def test_the_generated_file_is_of_the_present_protos() -> None:
    assert (GENERATED / "edge_tables.lua").read_text() == build(DESCRIPTORS)


def test_every_stream_has_the_route_without_a_time_limit() -> None:
    template = (Path(__file__).parents[2] / "envoy.yaml").read_text()
    found = re.search(r'match: \{safe_regex: \{regex: "(.+?)"\}', template)
    assert found
    for method in own_methods(DESCRIPTORS):
        path = method.GetOptions().Extensions[annotations_pb2.http].get
        assert bool(re.fullmatch(found[1], path)) == method.server_streaming


def test_a_message_inside_itself_is_refused() -> None:
    with pytest.raises(EdgeTablesError, match="Patient contains itself"):
        build(changed("Patient", "gender", FIELD.TYPE_MESSAGE, ".medconnect.clinical.v1.Patient"))


def test_keys_that_lua_knows_as_words_are_quoted() -> None:
    assert to_lua({"end": "x", "a.b": True, "ending": False}) == '{["a.b"] = true, ["end"] = "x", ending = false}'


async def test_enums_in_events_are_short_words_too(tmp_path: Path) -> None:
    # int32 and enums look alike on the wire, so the toy needs no other messages.
    status = ".medconnect.clinical.v1.PrescriptionStatus"
    descriptors = changed("WatchEmailQueueStatusResponse", "completed_jobs", FIELD.TYPE_ENUM, status)
    (tmp_path / "descriptors.binpb").write_bytes(descriptors)
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
    assert ['"completedJobs":"unspecified"' in chunks[0], '"completedJobs":"pending"' in chunks[1]] == [True, True]


def test_s87_a_path_that_the_edge_does_not_limit_is_refused() -> None:
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
