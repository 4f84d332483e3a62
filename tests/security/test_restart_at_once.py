"""A service that ended with open connections restarts at once on the same ports."""

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc

from server.edge import EdgeConfig, EdgeFailed, running
from server.runtime.processes import reserved_port
from tests.fixtures.proofs import control
from tests.security.test_server_processes import PATIENCE_SECONDS, ROOT, environment_of

HOST = "127.0.0.1"
CLOSED_HERE = ("04", "05", "06")
"""FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT: the states in /proc/net/tcp of a connection that this side closed first."""


def waiting(port: int) -> int:
    """Returns how many connections of a local port linger because this side closed them first."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(fields[1].endswith(f":{port:04X}") and fields[3] in CLOSED_HERE for fields in lines)


def listener(port: int = 0) -> socket.socket:
    """Returns a socket that listens as a server process does."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind((HOST, port))
    server.listen()
    return server


@contextmanager
def left_connection(port: int = 0) -> Iterator[int]:
    """Returns the port of a closed listener that closed its connection first."""
    with listener(port) as server, socket.create_connection(server.getsockname()) as caller:
        port = server.getsockname()[1]
        accepted, _ = server.accept()
        accepted.close()
        assert caller.recv(1) == b""
    assert waiting(port) == 1
    yield port


@control("S86")
def test_a_port_with_connections_in_time_wait_is_free() -> None:
    with left_connection() as port, reserved_port(f"{HOST}:{port}") as address:
        assert address == f"{HOST}:{port}"
        with listener(port) as child, listener(port) as another:  # the server processes
            assert child.getsockname() == another.getsockname()


def test_a_port_where_another_program_listens_is_taken() -> None:
    with listener() as server:
        assert_taken(f"{HOST}:{server.getsockname()[1]}")


def test_a_reserved_port_is_taken_before_anything_listens() -> None:
    with left_connection() as port, reserved_port(f"{HOST}:{port}"):
        assert_taken(f"{HOST}:{port}")


def assert_taken(address: str) -> None:
    with pytest.raises(OSError, match="is another server running"), reserved_port(address):
        pytest.fail("the port was reserved twice")


@pytest.fixture
def home() -> Iterator[Path]:
    """Returns a folder whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as folder:
        yield Path(folder)


@control("S86")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_two_processes_start_again_at_once(shared_database_url: str, home: Path, ending: int) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        address = f"{HOST}:{probe.getsockname()[1]}"
    environment = {**environment_of(shared_database_url, home), "GRPC_ADDRESS": address}
    with serving(environment) as first, grpc.insecure_channel(address) as channel:
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)
        assert stub.GetKeySet(auth.GetKeySetRequest(), wait_for_ready=True, timeout=PATIENCE_SECONDS).keys
        first.send_signal(ending)
        first.wait(PATIENCE_SECONDS)
        until_nobody_listens(address)
        with serving(environment):
            assert stub.GetKeySet(auth.GetKeySetRequest(), wait_for_ready=True, timeout=PATIENCE_SECONDS).keys


@contextmanager
def serving(environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Yields `medconnect serve` once it serves."""
    command = [sys.executable, "-m", "server", "serve"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("gRPC on port" in line for line in process.stdout), "it did not start"
            yield process
        finally:
            process.kill()


def until_nobody_listens(address: str) -> None:
    """Waits until the processes of a killed parent have ended."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) != 0:
                return
        time.sleep(0.02)
    pytest.fail("the processes are still running")


@control("S86")
async def test_the_edge_starts_again_at_once_on_its_port(tmp_path: Path) -> None:
    config = EdgeConfig(home=tmp_path / "a", server_sockets=(tmp_path / "none.sock",), port=0, drain_seconds=0.1)
    async with running(config) as edge:
        port = edge.address[1]
        reader, writer = await asyncio.open_connection(*edge.address)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert waiting(port) == 1
    again = EdgeConfig(home=tmp_path / "b", server_sockets=(tmp_path / "none.sock",), port=port, drain_seconds=0.1)
    async with running(again) as edge:
        assert edge.address[1] == port
        with pytest.raises(EdgeFailed, match=r"(?i)address already in use"):
            async with running(replace(again, home=tmp_path / "c")):
                pytest.fail("two services share a port")
