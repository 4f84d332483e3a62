"""Sessions in two processes on one database: one that ends in either ends in both within a second, streams too."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import grpc.aio
import pytest
import pytest_asyncio
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2

from server.api.interceptors.stream_lifetime import STREAMS_PER_USER
from server.db.embedded.cluster import EmbeddedPostgres
from tests.fixtures.auth import PASSWORD
from tests.fixtures.database import copied_database
from tests.fixtures.pace import within
from tests.fixtures.processes import Process, bearer, processes
from tests.fixtures.proofs import control

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT_SECONDS = 1.2
"""The promised second, and the time that the message needs on a busy machine."""
CODE = grpc.StatusCode
OVER = "UNAUTHENTICATED Sign in first."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_processes(postgres: EmbeddedPostgres) -> AsyncIterator[list[Process]]:
    """Yields two processes for all tests of this module."""
    async with copied_database(postgres) as url, processes(url, 2) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def first(two_processes: list[Process]) -> auth.LoginResponse:
    """Returns a session of the first admin."""
    return await two_processes[0].sign_in()


async def another_admin(process: Process, first: auth.LoginResponse) -> auth.LoginResponse:
    """Returns a new admin account, signed in."""
    request = auth.CreateUserRequest(
        email=f"{uuid4().hex}@example.org", password=PASSWORD, full_name="Second Admin", role=access_pb2.ROLE_ADMIN
    )
    await process.auth.CreateUser(request, metadata=bearer(first.access_token))
    return await process.sign_in(request.email, PASSWORD)


@asynccontextmanager
async def watching(process: Process, token: str) -> AsyncIterator[Any]:
    """Yields an open stream that has shown its first state."""
    stream = process.events.WatchEmailQueueStatus(events.WatchEmailQueueStatusRequest(), metadata=bearer(token))
    await stream.read()
    try:
        yield stream
    finally:
        stream.cancel()


async def end_of(stream: Any) -> tuple[grpc.StatusCode, float]:
    """Returns how the stream ended, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async with asyncio.timeout(10):
            while await stream.read() is not grpc.aio.EOF:  # unread states would delay the end
                pass
    return ended.value.code(), time.monotonic() - began


@control("S28")
@pytest.mark.parametrize("elsewhere", [False, True], ids=["in the same process", "in another process"])
@pytest.mark.parametrize("how", ["logout", "reused refresh token", "deactivation", "changed password"])
async def test_an_open_stream_ends_within_a_second_of_its_session(
    two_processes: list[Process], first: auth.LoginResponse, how: str, elsewhere: bool
) -> None:
    acting, serving = two_processes[0], two_processes[1] if elsewhere else two_processes[0]
    second = await another_admin(acting, first)
    async with (
        watching(serving, second.access_token) as stream,
        watching(serving, first.access_token) as of_another,
    ):
        await end(acting, how, first, second)
        code, seconds = await end_of(stream)
        assert code is CODE.UNAUTHENTICATED
        assert seconds < within(PROMPT_SECONDS)
        assert await serving.outcome(second.access_token) == OVER
        assert not of_another.done()


async def end(process: Process, how: str, first: auth.LoginResponse, second: auth.LoginResponse) -> None:
    """Ends the second account's session."""
    if how == "logout":
        await process.auth.Logout(auth.LogoutRequest(), metadata=bearer(second.access_token))
    elif how == "reused refresh token":
        following = await process.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=second.refresh_token))
        await process.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=following.refresh_token))
        with pytest.raises(grpc.aio.AioRpcError):
            await process.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=second.refresh_token))
    elif how == "deactivation":
        request = auth.DeactivateUserRequest(user_id=second.user.id)
        await process.auth.DeactivateUser(request, metadata=bearer(first.access_token))
    else:
        elsewhere = await process.sign_in(second.user.email, PASSWORD)
        change = auth.ChangePasswordRequest(current_password=PASSWORD, new_password="another horse battery")
        await process.auth.ChangePassword(change, metadata=bearer(elsewhere.access_token))


@control("S68")
async def test_sixth_stream_of_a_user_is_refused_until_one_ends(
    two_processes: list[Process], first: auth.LoginResponse
) -> None:
    process = two_processes[0]
    user, other = [(await another_admin(process, first)).access_token for _ in range(2)]
    streams = [watching(process, user) for _ in range(STREAMS_PER_USER)]
    for stream in streams:
        await stream.__aenter__()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with watching(process, user):
            pass
    assert refused.value.code() is CODE.RESOURCE_EXHAUSTED
    async with watching(process, other):
        pass
    await streams.pop().__aexit__(None, None, None)
    async with asyncio.timeout(5):
        while not await opens(process, user):
            await asyncio.sleep(0.05)
    for stream in streams:
        await stream.__aexit__(None, None, None)


async def opens(process: Process, token: str) -> bool:
    try:
        async with watching(process, token):
            return True
    except grpc.aio.AioRpcError:
        return False


@control("S27")
async def test_logout_reaches_other_process_within_a_second(
    two_processes: list[Process], first: auth.LoginResponse
) -> None:
    here, elsewhere = two_processes
    second = await another_admin(here, first)
    assert [await process.outcome(second.access_token) for process in two_processes] == ["OK", "OK"]
    await here.auth.Logout(auth.LogoutRequest(), metadata=bearer(second.access_token))
    began = time.monotonic()
    assert await here.outcome(second.access_token) == OVER
    while await elsewhere.outcome(second.access_token) != OVER:
        assert time.monotonic() - began < within(PROMPT_SECONDS)
        await asyncio.sleep(0.02)


@control("S27")
async def test_without_the_database_nobody_passes(two_processes: list[Process], first: auth.LoginResponse) -> None:
    process, url = two_processes[0], two_processes[0].core.settings.external_database or ""
    assert await past_access(process, first.access_token) == CODE.UNIMPLEMENTED
    async with locked_out(url):
        async with asyncio.timeout(10):
            while await past_access(process, first.access_token) == CODE.UNIMPLEMENTED:
                await asyncio.sleep(0.1)
        assert await past_access(process, first.access_token) == CODE.UNAVAILABLE
    async with asyncio.timeout(10):
        while await past_access(process, first.access_token) != CODE.UNIMPLEMENTED:
            await asyncio.sleep(0.1)


async def past_access(process: Process, token: str) -> grpc.StatusCode:
    """Calls a method that does not exist and returns the code: UNIMPLEMENTED if the caller was accepted."""
    channel: Any = process.channel  # the stubs require serializers, and raw bytes need none
    code: grpc.StatusCode = await channel.unary_unary("/medconnect.auth.v1.AuthService/Nothing")(
        b"", metadata=bearer(token)
    ).code()
    return code


@asynccontextmanager
async def locked_out(url: str) -> AsyncIterator[None]:
    """Disconnects every session of the database and keeps it unavailable during the block."""
    name = url.partition("?")[0].rpartition("/")[2]
    connection = await asyncpg.connect(url.replace(f"/{name}", "/postgres"))
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await connection.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await connection.close()
