"""`medconnect up` is stopped while it is busy: running calls finish, new ones are refused, and no process is left."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg
import grpc
import httpx
import pytest
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.events.v1.events_service_pb2_grpc import EventsServiceStub

from tests.fixtures.actors import Actor
from tests.fixtures.pace import within
from tests.fixtures.process import Process, process_up

BUSY_SECONDS: Final = 1.0
"""How long after the signal the slow call is delayed; the database gives up a lock after two seconds."""
PROMISED_SECONDS: Final = 10.0
"""By then everything has ended; most of the time allows for other work of this machine."""
WAITING: Final = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE datname = current_database() AND relation = 'visits'::regclass AND NOT granted
"""
STREAM: Final = "/api/v1/events/email-queue/status/stream"


@asynccontextmanager
async def held_up(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Makes every reading of visits wait during the block; the connection sees them wait."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE visits IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def until_one_waits(connection: asyncpg.Connection) -> None:
    """Waits until a statement waits for a lock."""
    async with asyncio.timeout(10):
        while not await connection.fetchval(WAITING):
            await asyncio.sleep(0.02)


def children_of(process: Process) -> set[int]:
    """Returns the process ids of all its descendants."""
    found, seen = [process.child.pid], set()
    while found:
        pid = found.pop()
        below = [
            int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
        ]
        seen |= set(below)
        found += below
    return seen


async def read_to_its_end(rest: httpx.AsyncClient, admin: Actor, begun: asyncio.Event) -> int:
    """Follows the stream as a page does; returns how many events came. Raises when the stream is cut off."""
    count = 0
    async with rest.stream("GET", STREAM, headers=admin.headers) as response:
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                assert json.loads(line.removeprefix("data:"))["totalJobs"] >= 0
                count += 1
                begun.set()
    return count


async def read_natively(address: str, admin: Actor, begun: asyncio.Event) -> grpc.StatusCode:
    """Follows the stream over gRPC; returns how it ended."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = EventsServiceStub(channel).WatchEmailQueueStatus(
            events.WatchEmailQueueStatusRequest(), metadata=admin.metadata
        )
        with suppress(grpc.aio.AioRpcError):
            async for _ in call:
                begun.set()
        return await call.code()


def people(process: Process) -> tuple[Actor, Actor]:
    with process.actors() as actors:
        return actors.admin, actors.doctor


@pytest.mark.parametrize("processes", [1, 2])
async def test_what_was_begun_ends_well_and_nothing_stays(database_url: str, tmp_path: Path, processes: int) -> None:
    with process_up(database_url, tmp_path, SERVER_PROCESSES=str(processes), DB_POOL_SIZE="3") as process:
        admin, doctor = await asyncio.to_thread(people, process)
        begun = [asyncio.Event(), asyncio.Event()]
        async with httpx.AsyncClient(base_url=process.rest, timeout=20) as rest, asyncio.TaskGroup() as group:
            page = group.create_task(read_to_its_end(rest, admin, begun[0]))
            native = group.create_task(read_natively(process.grpc, admin, begun[1]))
            await asyncio.wait_for(asyncio.gather(*(each.wait() for each in begun)), 10)
            children = children_of(process)
            async with held_up(database_url) as holder:
                slow = group.create_task(rest.get("/api/v1/doctors/medical-visits", headers=doctor.headers))
                await until_one_waits(holder)
                process.stop()
                stopped = time.monotonic()
                await asyncio.wait_for(asyncio.gather(page, native), within(BUSY_SECONDS))
                await asyncio.sleep(stopped + BUSY_SECONDS - time.monotonic())
                assert not slow.done()
                await assert_is_sent_away(process.rest)
        assert (slow.result().status_code, slow.result().json()["data"]["visits"]) == (200, [])
        assert page.result() > 0
        assert native.result() is grpc.StatusCode.UNAVAILABLE  # DRAINING: the client resumes elsewhere
        await asyncio.to_thread(process.child.wait, within(PROMISED_SECONDS))
        assert process.child.returncode == 0
        assert time.monotonic() - stopped < within(PROMISED_SECONDS)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert not [line for line in process.logged if '"level":"error"' in line or "Traceback" in line]


async def assert_is_sent_away(url: str) -> None:
    """Checks that a new caller is asked to close the connection, or cannot connect any more."""
    async with httpx.AsyncClient(base_url=url) as late:
        try:
            answer = await late.get("/")
        except httpx.ConnectError:
            return
    assert answer.headers["connection"] == "close"
