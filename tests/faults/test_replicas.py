"""Two servers behind one edge are stopped in turn under load: no call fails, streams resume at the other one."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import grpc.aio
import httpx
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1.auth_service_pb2_grpc import AuthServiceStub

from server.edge import EdgeConfig, running
from server.edge.process import Edge
from tests.fixtures.database import as_owner
from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD
from tests.fixtures.processes import bearer
from tests.fixtures.proofs import requirement
from tests.fixtures.serving_process import ROOT, ServingProcess, serving_process

CALLS_PER_SECOND: Final = 200
SETTLED_SECONDS: Final = 1.5
"""The time in which the edge notices that a server is back."""
SECRETS: Final = {"JWT_SECRET": "j" * 32, "QR_ENCRYPTION_KEY": "one:" + "q" * 32}


class Load:
    """Calls over gRPC and REST in turn at a fixed rate; counts how they end."""

    def __init__(self, edge: Edge, token: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self._edge = edge
        self._token = token
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Calls until the block ends, and waits for the last calls."""
        host, port = self._edge.grpc
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel, httpx.AsyncClient(timeout=20) as rest:
            calls = asyncio.create_task(self._call_repeatedly(AuthServiceStub(channel), rest))
            try:
                yield
            finally:
                calls.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call_repeatedly(self, stub: AuthServiceStub, rest: httpx.AsyncClient) -> None:
        while True:
            for work in (self._native(stub), self._over_rest(rest)):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(2 / CALLS_PER_SECOND)

    async def _native(self, stub: Any) -> None:
        try:
            await stub.GetCurrentUser(auth.GetCurrentUserRequest(), metadata=bearer(self._token))
        except grpc.aio.AioRpcError as error:
            self.outcomes[f"{error.code().name} {error.details()}"] += 1
        else:
            self.outcomes["OK"] += 1

    async def _over_rest(self, rest: httpx.AsyncClient) -> None:
        try:
            answer = await rest.get(
                f"{self._edge.url}/api/v1/auth/profile", headers={"authorization": f"Bearer {self._token}"}
            )
        except httpx.HTTPError as error:
            self.outcomes[type(error).__name__] += 1
        else:
            self.outcomes["OK" if answer.status_code == 200 else f"{answer.status_code} {answer.text}"] += 1


@contextmanager
def replica(database_url: str) -> Iterator[ServingProcess]:
    """Runs a server with the keys that both share."""
    with serving_process(database_url, **SECRETS) as process:
        yield process


def socket_of(process: ServingProcess) -> Path:
    return process.home / "run" / "server-0.sock"


async def token_of(process: ServingProcess) -> str:
    async with grpc.aio.insecure_channel(process.address) as channel:
        request = auth.LoginRequest(email=ADMIN_EMAIL, password=ADMIN_PASSWORD)
        return str((await AuthServiceStub(channel).Login(request)).access_token)


def probed(process: ServingProcess, *options: str) -> int:
    """Returns the exit code of `medconnect health` beside a server."""
    environment = {"PYTHONPATH": str(ROOT), "MEDCONNECT_HOME": str(process.home)}
    command = [sys.executable, "-m", "server", "health", *options]
    return subprocess.run(command, cwd=process.home, env=environment, capture_output=True, check=False).returncode


@requirement("R28", "R30")
async def test_replicas_stopped_in_turn_fail_no_call(database_url: str, tmp_path: Path, sigterms: int) -> None:
    with replica(database_url) as first, replica(database_url) as second:
        token = await token_of(first)
        config = EdgeConfig(home=tmp_path, server_sockets=(socket_of(first), socket_of(second)), port=0)
        async with running(config) as edge:
            load = Load(edge, token)
            async with load.running():
                await asyncio.sleep(1)
                for process in ((first, second) * sigterms)[:sigterms]:
                    assert await asyncio.to_thread(process.stop) == 0
                    process.start()
                    await asyncio.to_thread(process.wait)
                    await asyncio.sleep(SETTLED_SECONDS)
            assert set(load.outcomes) == {"OK"}, load.outcomes
            assert load.outcomes["OK"] > 100


@requirement("R29", "R30")
async def test_a_server_restarts_on_a_newer_schema_that_serves_it(database_url: str) -> None:
    newer = "UPDATE alembic_version SET version_num = '9999'"
    with replica(database_url) as process:
        assert probed(process) == probed(process, "--live") == probed(process, "--address", process.address) == 0
        await as_owner(database_url, newer)
        process.kill()
        assert probed(process) == probed(process, "--live") == 1
        process.start()
        process.wait()
        assert probed(process) == 0
        await as_owner(database_url, "UPDATE alembic_version SET oldest_server = '9998'")
        async with asyncio.timeout(15):
            while probed(process) == 0:
                await asyncio.sleep(0.2)
        assert probed(process, "--live") == 0
        process.kill()
        process.start()
        with pytest.raises(RuntimeError, match="nothing serves"):
            process.wait()
