"""Every method declares its callers, and the public methods are those of a reviewed file."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2

from tests.fixtures.actors import Actors
from tests.fixtures.proofs import control

ROOT: Final = Path(__file__).parents[2]
PUBLIC_METHODS: Final = Path(__file__).parent / "public_methods.txt"

SERVE_A_METHOD_WITHOUT_AN_OPTION: Final = """
import sys
from google.protobuf import descriptor_pb2, descriptor_pool
from server.cli import commands
from server.runtime import server
file = descriptor_pb2.FileDescriptorProto(name="undeclared.proto", package="probe", syntax="proto3")
file.message_type.add(name="Nothing")
method = file.service.add(name="Careless").method.add(name="Do")
method.input_type = method.output_type = ".probe.Nothing"
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
server.SERVICES = (*server.SERVICES, "probe.Careless")
sys.argv = ["medconnect", "serve"]
commands.main()
"""


@control("S30")
async def test_method_without_access_option_prevents_start(shared_database_url: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": shared_database_url,
        "MEDCONNECT_HOME": str(tmp_path),
        "GRPC_ADDRESS": "127.0.0.1:0",
    }
    command = [sys.executable, "-c", SERVE_A_METHOD_WITHOUT_AN_OPTION]
    ended = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90
    )
    assert ended.returncode not in (0, None)
    assert "probe.Careless.Do must say" in ended.stderr
    assert "gRPC on port" not in ended.stdout


@control("S31")
def test_public_methods_match_the_checked_in_list(actors: Actors) -> None:
    answered = {
        path for path, streaming in published() if code_for_nobody(actors, path, streaming) is not UNAUTHENTICATED
    }
    assert sorted(answered) == PUBLIC_METHODS.read_text().split()


UNAUTHENTICATED: Final = grpc.StatusCode.UNAUTHENTICATED


def published() -> Iterator[tuple[str, bool]]:
    """Returns the path of each method of the published descriptor set and of health, and whether it streams answers."""
    files = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "generated/descriptors.binpb").read_bytes()).file
    health = descriptor_pb2.FileDescriptorProto()
    health_pb2.DESCRIPTOR.CopyToProto(health)
    for file in (*files, health):
        for service in file.service:
            for method in service.method:
                yield f"/{file.package}.{service.name}/{method.name}", method.server_streaming


def code_for_nobody(actors: Actors, path: str, streaming: bool) -> grpc.StatusCode:
    """Returns how an empty request without a token ends; a stream that begins has accepted the caller."""
    call: Any = actors.channel.unary_unary(path)  # the stubs require serializers, and raw bytes need none
    open_stream: Any = actors.channel.unary_stream(path)
    try:
        if streaming:
            stream = open_stream(b"", timeout=10)
            next(stream)
            stream.cancel()
        else:
            call(b"", timeout=10)
    except grpc.RpcError as refused:
        code: grpc.StatusCode = refused.code()
        return code
    return grpc.StatusCode.OK
