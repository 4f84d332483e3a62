"""Passwords are stored as slow hashes, and many concurrent sign-ins exhaust neither time nor memory."""

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import clinical_service_pb2_grpc
from sqlalchemy import text

from tests.fixtures.actors import PASSWORD, Actors
from tests.fixtures.database import committing_work
from tests.fixtures.hashing import full_hashing
from tests.fixtures.instance import ADMIN_EMAIL, RunningInstance
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.fixtures.serving_process import serving_process

FLOOR = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
HASHES = text("SELECT password_hash FROM users WHERE id = ANY(:owners)")
EMAIL, OTHER = "ada@example.org", "grace@example.org"
AT_ONCE = 200
SHORT = 60
LOOP_SECONDS = 0.015
"""How much processor time of the event loop a sign-in may take, at any load: a hash takes 20 ms."""
CONNECTIONS = 4
HEALTH_SECONDS, PROFILE_SECONDS = 0.05, 0.25
"""The 99th percentiles of other calls meanwhile; only long runs assert them."""
MEBIBYTE = 2**20
CORES = os.cpu_count() or 1
MOST_GROWTH = (19 * 2 * CORES + 32) * MEBIBYTE


@control("S1")
def test_stored_passwords_are_argon2id_with_19_mib(actors: Actors, instance: RunningInstance) -> None:
    with full_hashing(instance):
        owners = [UUID(actor.user_id) for actor in (actors.new_patient(), actors.new_pharmacist(), actors.new_admin())]

    async def stored() -> list[str]:
        async with instance.core.work.read() as tx:
            return await tx.connection.scalars(HASHES, {"owners": owners})

    assert_full(instance.run(stored()), len(owners))


def assert_full(hashes: list[str], count: int) -> None:
    """Checks that each of `count` hashes has the parameters of the service, and a salt of its own."""
    assert len(hashes) == count
    assert [each for each in hashes if not FLOOR.fullmatch(each)] == []
    assert len(set(hashes)) == len(hashes)


@control("S1", "S2")
async def test_many_sign_ins_at_once_leave_the_service_answering(database_url: str, logins: int) -> None:
    health_waits, profile_waits, sizes = list[float](), list[float](), list[int]()
    with serving_process(database_url) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            clinic = clinical_service_pb2_grpc.ClinicalServiceStub(channel)
            bearer = (("authorization", f"Bearer {await registered(channel, OTHER)}"),)
            await registered(channel, EMAIL)
            memory, processor = resident_bytes(server.pid), loop_seconds(server.pid)
            signing_in = asyncio.create_task(sign_ins(server.address, logins))
            while not signing_in.done():
                health_waits.append(await seconds(health.Check(health_pb2.HealthCheckRequest(), timeout=10)))
                reading = clinic.GetProfile(clinical.GetProfileRequest(), metadata=bearer, timeout=10)
                profile_waits.append(await seconds(reading))
                sizes.append(resident_bytes(server.pid))
                await asyncio.sleep(0.005)
            ends = await signing_in
            assert (loop_seconds(server.pid) - processor) / logins < within(LOOP_SECONDS)
    async with committing_work(database_url, owner=True) as work, work.read() as tx:
        hashes = await tx.connection.scalars(text("SELECT password_hash FROM users"))
    assert_full(hashes, len((ADMIN_EMAIL, EMAIL, OTHER)))
    assert ends.keys() <= {"OK", "UNAVAILABLE"}  # a caller who would wait for more than a second is asked to retry
    assert ends["OK"] > 0
    assert max(sizes) - memory < MOST_GROWTH
    if logins > SHORT:
        print(f"{dict(ends)}; p99: health {p99(health_waits):.3f} s, profile {p99(profile_waits):.3f} s")
        assert p99(health_waits) < within(HEALTH_SECONDS)
        assert p99(profile_waits) < within(PROFILE_SECONDS)


async def registered(channel: grpc.aio.Channel, email: str) -> str:
    """Returns a new patient's access token."""
    request = auth.RegisterRequest(email=email, password=PASSWORD, full_name="Ada Lind")
    return (await auth_service_pb2_grpc.AuthServiceStub(channel).Register(request)).access_token


async def sign_ins(address: str, count: int) -> Counter[str]:
    """Returns how that many sign-ins end, AT_ONCE at a time, over connections that each carry fewer than allowed."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            )
            for _ in range(CONNECTIONS)
        ]

        async def sign_in(number: int) -> str:
            stub = auth_service_pb2_grpc.AuthServiceStub(channels[number % CONNECTIONS])
            async with turns:
                try:
                    await stub.Login(auth.LoginRequest(email=EMAIL, password=PASSWORD), timeout=30)
                except grpc.aio.AioRpcError as error:
                    return error.code().name
                return "OK"

        return Counter(await asyncio.gather(*map(sign_in, range(count))))


async def seconds(call: Awaitable[object]) -> float:
    """Returns how long a call takes, in seconds."""
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


def p99(waits: list[float]) -> float:
    """Returns the 99th percentile of some seconds."""
    return sorted(waits)[int(0.99 * len(waits))]


def loop_seconds(pid: int) -> float:
    """Returns the processor time of a process's first thread, which runs its event loop."""
    numbers = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Returns the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
