"""Watchers that never read, concurrently with one that does and with ordinary calls."""

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.events.v1 import events_service_pb2_grpc

from server.identity import Role
from tests.fixtures.actors import Actors
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import requirement
from tests.fixtures.users import a_user

STREAMS_A_CONNECTION = 90
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def resident() -> float:
    """Returns the resident memory in MiB of this process, which runs the server and its clients."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def call_times(actors: Actors, count: int) -> list[float]:
    times = []
    for _ in range(count):
        begun = time.monotonic()
        actors.events.GetEmailQueueStatus(events.GetEmailQueueStatusRequest(), metadata=actors.admin.metadata)
        times.append(time.monotonic() - begun)
    return times


def an_admin(instance: RunningInstance) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a different caller for each stream: the streams of one caller are limited."""
    token, _ = instance.services.access_tokens.issue(a_user(Role.ADMIN, id=uuid4()), uuid4(), FAR)
    return (("authorization", f"Bearer {token}"),)


@requirement("R31")
def test_watchers_that_never_read_cost_the_others_nothing(
    instance: RunningInstance, actors: Actors, watchers: int
) -> None:
    before, room = call_times(actors, 50), resident()
    channels, unread = [], []
    for number in range(watchers):
        if number % STREAMS_A_CONNECTION == 0:
            channels.append(grpc.insecure_channel(instance.grpc, options=[("grpc.use_local_subchannel_pool", 1)]))
        stub = events_service_pb2_grpc.EventsServiceStub(channels[-1])
        unread.append(stub.WatchEmails(events.WatchEmailsRequest(after_sequence=0), metadata=an_admin(instance)))
    reading = actors.events.WatchEmails(events.WatchEmailsRequest(), metadata=actors.admin.metadata, timeout=60)
    next(reading)
    for _ in range(20):
        emit = events.EmitTestEventRequest(event_type="watched.by_many")
        actors.events.EmitTestEvent(emit, metadata=actors.admin.metadata)
    meanwhile = call_times(actors, 50)
    seen: list[Any] = []
    while len(seen) < 60:
        message = next(reading)
        if message.HasField("email"):
            seen.append(message)
    grown = resident() - room
    for stream in (*unread, reading):
        stream.cancel()
    for channel in channels:
        channel.close()
    print(
        f"{watchers} watchers that never read: {grown:.0f} MiB; a call took {statistics.median(before) * 1000:.1f} ms "
        f"before, {statistics.median(meanwhile) * 1000:.1f} ms meanwhile; the one who reads saw {len(seen)} changes"
    )
    assert grown < 32 + watchers * 0.3  # each watcher occupies a thread of this process
    assert statistics.median(meanwhile) <= 3 * statistics.median(before) + 0.05
    assert [message.sequence for message in seen] == sorted({message.sequence for message in seen})
