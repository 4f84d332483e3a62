"""S67, and other properties of several serving processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc

from tests.fixtures.actors import new_email
from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD
from tests.fixtures.pace import within
from tests.fixtures.proofs import control

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30
ACTS_ELSEWHERE_SECONDS = 1.0


@dataclass
class Servers:
    """An instance of `medconnect serve` with two processes."""

    process: "subprocess.Popen[str]"
    port: int
    home: Path

    def stub(self, number: int) -> auth_service_pb2_grpc.AuthServiceStub:
        """Returns a stub of one process, called as the edge calls it."""
        return auth_service_pb2_grpc.AuthServiceStub(
            grpc.insecure_channel(f"unix:{self.home}/run/server-{number}.sock")
        )

    @property
    def children(self) -> list[int]:
        """Returns the process ids of the children."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


START_ONE_AND_WAIT = """
import asyncio, os
from server.runtime import processes
async def main():
    async with processes.running(1, os.environ):
        print(flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def environment_of(database_url: str, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "MEDCONNECT_HOME": str(home),
        "DATABASE_URL": database_url,
        "GRPC_ADDRESS": "127.0.0.1:0",
        "SERVER_PROCESSES": "2",
        "DB_POOL_SIZE": "2",
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "LOG_LEVEL": "error",
    }


@contextmanager
def running_servers(database_url: str, home: Path) -> Iterator[Servers]:
    environment = environment_of(database_url, home)
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve"], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            announced = re.search(r"gRPC on port (\d+)", process.stdout.readline())
            assert announced is not None
            yield Servers(process, int(announced[1]), home)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Returns a folder whose name is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def servers(shared_database_url: str, home: Path) -> Iterator[Servers]:
    with running_servers(shared_database_url, home) as running:
        yield running


def wrong_sign_in(stub: auth_service_pb2_grpc.AuthServiceStub, address: str) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        stub.Login(
            auth.LoginRequest(email=new_email(), password="a wrong password"), metadata=(("x-client-ip", address),)
        )
    code: grpc.StatusCode = refused.value.code()
    return code


@control("S67")
def test_five_sign_ins_over_two_processes_are_five(servers: Servers) -> None:
    first, second = servers.stub(0), servers.stub(1)
    codes = [wrong_sign_in(stub, "203.0.113.7") for stub in (first, first, first, second, second, first, second)]
    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 5 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    assert wrong_sign_in(second, "203.0.113.8") is grpc.StatusCode.UNAUTHENTICATED


def test_a_logout_acts_on_the_other_process_within_a_second(servers: Servers) -> None:
    first, second = servers.stub(0), servers.stub(1)
    token = first.Login(auth.LoginRequest(email=ADMIN_EMAIL, password=ADMIN_PASSWORD)).access_token
    metadata = (("authorization", f"Bearer {token}"),)
    assert second.GetCurrentUser(auth.GetCurrentUserRequest(), metadata=metadata).user.email == ADMIN_EMAIL
    first.Logout(auth.LogoutRequest(), metadata=metadata)
    ended = time.monotonic()
    wait_until(lambda: is_refused(second, metadata))
    assert time.monotonic() - ended < within(ACTS_ELSEWHERE_SECONDS)


def test_dead_process_is_replaced_while_the_other_serves(servers: Servers) -> None:
    before = servers.children
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: not alive(before[0]))
    with grpc.insecure_channel(f"127.0.0.1:{servers.port}") as channel:
        auth_service_pb2_grpc.AuthServiceStub(channel).GetKeySet(
            auth.GetKeySetRequest(), wait_for_ready=True, timeout=PATIENCE_SECONDS
        )
    wait_until(lambda: len(set(servers.children) - {before[0]}) == 2)
    answer = servers.stub(0).GetKeySet(auth.GetKeySetRequest(), wait_for_ready=True, timeout=PATIENCE_SECONDS)
    assert answer.keys


def test_the_end_of_the_parent_is_the_end_of_all(servers: Servers) -> None:
    children = servers.children
    servers.process.terminate()
    assert servers.process.wait(PATIENCE_SECONDS) == 0
    assert not any(map(alive, children))


def test_killing_the_parent_leaves_no_process(shared_database_url: str, home: Path) -> None:
    environment = environment_of(shared_database_url, home)
    with subprocess.Popen(
        [sys.executable, "-c", START_ONE_AND_WAIT], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        children = Servers(parent, 0, home).children
        assert len(children) == 1
        parent.kill()
    wait_until(lambda: not any(map(alive, children)))


def is_refused(stub: auth_service_pb2_grpc.AuthServiceStub, metadata: tuple[tuple[str, str], ...]) -> bool:
    try:
        stub.GetCurrentUser(auth.GetCurrentUserRequest(), metadata=metadata)
    except grpc.RpcError as error:
        return bool(error.code() is grpc.StatusCode.UNAUTHENTICATED)
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Returns whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False
