"""Passwords are stored as slow hashes, and many sign-ins at once take neither the service's time nor its memory."""

import asyncio
import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc
from sqlalchemy import text

from tests.fixtures.cast import PASSWORD, Cast
from tests.fixtures.instance import RunningInstance

FLOOR = re.compile(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")
AT_ONCE = 200
SHORT = 60
LOOP_SECONDS = 0.015
"""What a sign-in may take of the event loop's own processor time, at any load: a hash takes 20 ms."""
HEALTH_SECONDS = 0.05
"""The 99th percentile of a health check meanwhile; asserted of long runs, which are for a machine of one's own."""
MEBIBYTE = 2**20
CORES = os.cpu_count() or 1
MOST_GROWTH = (19 * 2 * CORES + 32) * MEBIBYTE


def test_s01_every_stored_password_is_argon2id_of_at_least_19_mib(cast: Cast, instance: RunningInstance) -> None:
    cast.new_patient()
    cast.new_pharmacist()

    async def stored() -> list[str]:
        async with instance.core.work.read() as tx:
            rows = await tx.connection.execute(text("SELECT password_hash FROM users WHERE password_hash IS NOT NULL"))
            return list(rows.scalars())

    hashes = instance.run(stored())
    assert len(hashes) >= 3
    assert [each for each in hashes if not FLOOR.fullmatch(each)] == []
    assert len(set(hashes)) == len(hashes)


async def test_s02_many_sign_ins_at_once_leave_the_service_answering(
    cast: Cast, instance: RunningInstance, logins: int
) -> None:
    email, memory, processor = cast.new_patient().email, resident_bytes(), instance.run(processor_seconds())
    turns, waits, sizes = asyncio.Semaphore(AT_ONCE), list[float](), list[int]()
    async with grpc.aio.insecure_channel(instance.grpc) as channel:
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)
        health: Any = health_pb2_grpc.HealthStub(channel)

        async def sign_in() -> str:
            async with turns:
                try:
                    await stub.Login(auth.LoginRequest(email=email, password=PASSWORD), timeout=30)
                except grpc.aio.AioRpcError as error:
                    return error.code().name
                return "OK"

        signing_in = asyncio.gather(*(sign_in() for _ in range(logins)))
        while not signing_in.done():
            began = time.perf_counter()
            await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
            waits.append(time.perf_counter() - began)
            sizes.append(resident_bytes())
            await asyncio.sleep(0.005)
        ends = Counter(await signing_in)
    assert ends.keys() <= {"OK", "UNAVAILABLE"}  # who would wait for more than a second is told to come again
    assert ends["OK"] > 0
    assert (instance.run(processor_seconds()) - processor) / logins < LOOP_SECONDS
    assert max(sizes) - memory < MOST_GROWTH
    if logins > SHORT:
        assert sorted(waits)[int(0.99 * len(waits))] < HEALTH_SECONDS


async def processor_seconds() -> float:
    """What the event loop that runs this has had of the processor."""
    return time.thread_time()


def resident_bytes() -> int:
    """This process's memory, in which the instance runs."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
