"""Open streams end when their session does, wherever it ends, and when their token does; and there are not many."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2

from server.interceptors import open_streams
from server.interceptors.open_streams import STREAMS_PER_USER
from tests.fixtures.auth import PASSWORD
from tests.fixtures.processes import Process, bearer, processes
from tests.interceptors.probe import House

PROMPT_SECONDS = 1.2
"""The second that is promised, and the way of the message on a busy machine."""
CODE = grpc.StatusCode


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[list[Process]]:
    """Two processes on one database."""
    async with processes(database_url, 2) as started:
        yield started


async def forever() -> None:
    await asyncio.Event().wait()


async def another_admin(process: Process, first: str) -> auth.LoginResponse:
    """An account of its own, signed in."""
    request = auth.CreateUserRequest(
        email="second@example.org", password=PASSWORD, full_name="Second Admin", role=access_pb2.ROLE_ADMIN
    )
    await process.auth.CreateUser(request, metadata=bearer(first))
    return await process.sign_in(request.email, PASSWORD)


@asynccontextmanager
async def watching(process: Process, token: str) -> AsyncIterator[Any]:
    """An open stream that has shown its first state."""
    stream = process.events.WatchEmailQueueStatus(events.WatchEmailQueueStatusRequest(), metadata=bearer(token))
    await stream.read()
    try:
        yield stream
    finally:
        stream.cancel()


async def end_of(stream: Any) -> tuple[grpc.StatusCode, float]:
    """How the stream ended, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async with asyncio.timeout(10):
            while await stream.read() is not grpc.aio.EOF:  # unread states would hold the end back
                pass
    return ended.value.code(), time.monotonic() - began


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in the same process", "in another process"])
@pytest.mark.parametrize("how", ["logout", "reused refresh token", "deactivation", "changed password"])
async def test_s28_an_open_stream_ends_within_a_second_of_its_session(
    both: list[Process], how: str, elsewhere: bool
) -> None:
    acting, serving = both[0], both[1] if elsewhere else both[0]
    first = await acting.sign_in()
    second = await another_admin(acting, first.access_token)
    async with (
        watching(serving, second.access_token) as stream,
        watching(serving, first.access_token) as of_another,
    ):
        await end(acting, how, first, second)
        code, seconds = await end_of(stream)
        assert code is CODE.UNAUTHENTICATED
        assert seconds < PROMPT_SECONDS
        assert await serving.outcome(second.access_token) == "UNAUTHENTICATED Sign in first."
        assert not of_another.done()


async def end(process: Process, how: str, first: auth.LoginResponse, second: auth.LoginResponse) -> None:
    """End the second one's session."""
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


async def test_s39_a_stream_ends_with_its_token_and_not_before(house: House) -> None:
    metadata = house.bearer()
    house.probe.act = forever
    call = asyncio.create_task(house.call("stream", metadata))
    house.clock.moment += timedelta(minutes=15, seconds=29)
    await asyncio.sleep(0.6)
    assert not call.done()
    house.clock.moment += timedelta(seconds=2)
    async with asyncio.timeout(PROMPT_SECONDS):
        answer = await call
    assert (answer.code, answer.reason) == (CODE.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert house.probe.closed_streams == 1


async def test_s39_a_stream_ends_when_nobody_can_say_whether_its_session_stands(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.probe.act = forever
    call = asyncio.create_task(house.call("stream", house.bearer()))
    await asyncio.sleep(0.1)
    house.clock.forward(seconds=3)  # the memory is stale, and nobody has such a session in the database
    async with asyncio.timeout(PROMPT_SECONDS):
        assert (await call).code is CODE.UNAUTHENTICATED


async def test_a_stream_of_half_an_hour_ends_without_an_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "OLDEST_SECONDS", 0.2)
    monkeypatch.setattr(open_streams, "SPREAD_SECONDS", 1)
    house.probe.act = forever
    call = asyncio.create_task(house.call("stream", house.bearer()))
    await asyncio.sleep(0.1)
    assert not call.done()
    house.clock.seconds += 0.3
    async with asyncio.timeout(PROMPT_SECONDS):
        answer = await call
    assert (answer.code, answer.bodies) == (CODE.OK, [])
    assert house.probe.closed_streams == 1


async def test_s68_the_sixth_stream_of_a_user_is_refused_until_one_of_them_ends(both: list[Process]) -> None:
    process = both[0]
    first = (await process.sign_in()).access_token
    second = (await another_admin(process, first)).access_token
    streams = [watching(process, first) for _ in range(STREAMS_PER_USER)]
    for stream in streams:
        await stream.__aenter__()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with watching(process, first):
            pass
    assert refused.value.code() is CODE.RESOURCE_EXHAUSTED
    async with watching(process, second):
        pass
    await streams.pop().__aexit__(None, None, None)
    async with asyncio.timeout(5):
        while not await opens(process, first):
            await asyncio.sleep(0.05)
    for stream in streams:
        await stream.__aexit__(None, None, None)


async def opens(process: Process, token: str) -> bool:
    try:
        async with watching(process, token):
            return True
    except grpc.aio.AioRpcError:
        return False
