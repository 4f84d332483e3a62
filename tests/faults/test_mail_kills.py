"""kill -9 of worker and server at every step of a delivery: no email is lost, and duplicates have one Message-ID.

The processes are the real ones. The mail server, or a wait for a lock in the database, triggers the kill.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Final

import grpc.aio
import pytest
from medconnect.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from sqlalchemy import text

from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.mailer.in_hand import MAX_AT_ONCE
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from tests.fixtures.database import committing_work
from tests.fixtures.emails import add_account, change
from tests.fixtures.mail_sink import ACCEPTED, HANG, MailSink, free_port
from tests.fixtures.proofs import requirement
from tests.fixtures.service_process import ServiceProcess, service_process

MAILS_A_POINT: Final = 20
PATIENCE_SECONDS: Final = 60.0
WAITING: Final = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    " AND application_name = 'medconnect' AND pid <> pg_backend_pid() AND query LIKE :query)"
)
EXPIRE_LEASES: Final = "UPDATE emails SET lease_expires_at = now() - interval '1 s' WHERE state = 'processing'"
PARK: Final = (
    "UPDATE emails SET due_at = now() + interval '1 h' WHERE state = 'pending'",
    "UPDATE emails SET lease_expires_at = now() + interval '1 h' WHERE state = 'processing'",
)
CLAIMED: Final = (
    "SELECT EXISTS (SELECT FROM emails WHERE state = 'processing' AND lease_expires_at < now() + interval '1 min')"
)
CUT_OFF: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE query LIKE '%said%' AND wait_event_type = 'Lock' AND datname = current_database()
"""
ALL_SENT: Final = "SELECT count(*) = 0 FROM emails WHERE state <> 'completed'"
UNPARK: Final = "UPDATE emails SET due_at = now() WHERE state = 'pending'"


class Post:
    """The queue, the mail server, and the worker to kill."""

    def __init__(self, url: str, home: Path, queue: UnitOfWork, sink: MailSink) -> None:
        self.url, self.home, self.queue, self.sink = url, home, queue, sink

    def worker(self) -> AbstractAsyncContextManager[ServiceProcess]:
        """Runs a worker in a process of its own."""
        settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": self.sink.port, "SMTP_SECURITY": "none"}
        return service_process("worker", "Sending emails.", self.home, self.url, **settings)

    async def add(self, count: int, domain: str) -> None:
        """Adds `count` emails to addresses of a domain."""
        async with self.queue.begin() as tx:
            account = await add_account(tx.connection)
            mails = (NewEmail(EmailKind.WELCOME, account, f"{n}.{new_id().hex[-6:]}@{domain}") for n in range(count))
            await tx[Outbox].add(*mails)

    async def value(self, statement: str, **values: str) -> object:
        async with self.queue.read() as tx:
            return await tx.connection.scalar(text(statement), values)

    async def until(self, statement: str, seconds: float = PATIENCE_SECONDS, **values: str) -> None:
        """Waits until the statement returns true."""
        async with asyncio.timeout(seconds):
            while not await self.value(statement, **values):
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def locked(self, table: str, mode: str) -> AsyncIterator[None]:
        """Blocks writes to the table, in some modes reads too, while the block runs."""
        async with self.queue.begin() as tx:
            await tx.connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await tx.connection.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))
            yield

    def deliveries(self, domain: str) -> Counter[str]:
        """Returns how often each email to that domain was accepted, by its Message-ID."""
        accepted = zip(self.sink.recipients, self.sink.contents, strict=True)
        return Counter(
            str(message_from_bytes(content)["Message-ID"]) for [to], content in accepted if to.endswith(f"@{domain}")
        )


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with committing_work(database_url, owner=True) as queue, MailSink().listening() as sink:
        yield Post(database_url, tmp_path, queue, sink)


async def at_stage(post: Post, worker: ServiceProcess, stage: str) -> None:
    """Kills the worker when the mail server has reached that stage."""
    reached = asyncio.Event()

    def kill(present: str) -> None:
        if present == stage:
            worker.kill()
            reached.set()

    post.sink.reached = kill
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()


async def claimed(post: Post, worker: ServiceProcess) -> None:
    async with post.locked("users", "ACCESS EXCLUSIVE"):  # it cannot proceed to rendering
        await post.until(CLAIMED)
        worker.kill()


async def rendering(post: Post, worker: ServiceProcess) -> None:
    async with post.locked("users", "ACCESS EXCLUSIVE"):
        await post.until(WAITING, query="%FROM users%")
        worker.kill()


async def marking(post: Post, worker: ServiceProcess) -> None:
    """Kills the worker between the mail server's reply and the record of the outcome."""
    answered = asyncio.Event()
    post.sink.seconds = 0.5
    post.sink.reached = lambda stage: answered.set() if stage == "data" else None
    async with asyncio.timeout(PATIENCE_SECONDS):
        await answered.wait()
    async with post.locked("emails", "SHARE ROW EXCLUSIVE"):
        await post.until(WAITING, query="%said%")
        worker.kill()


async def postponing(post: Post, worker: ServiceProcess) -> None:
    post.sink.answers["data"] = ["451 4.3.0 later"] * MAILS_A_POINT  # the worker goes on until the table is locked
    await marking(post, worker)


async def marked(post: Post, worker: ServiceProcess) -> None:
    """Kills the worker when one email is recorded as sent; the mail server never completes the others."""
    post.sink.answers["rcpt"] = [ACCEPTED, *[HANG] * MAX_AT_ONCE]
    before = await post.value("SELECT count(*) FROM emails WHERE state = 'completed'")
    await post.until(f"SELECT count(*) > {before} FROM emails WHERE state = 'completed'")  # noqa: S608 - a number
    worker.kill()


async def renewing(post: Post, worker: ServiceProcess) -> None:
    reached = asyncio.Event()
    post.sink.answers["rcpt"] = [HANG] * MAX_AT_ONCE
    post.sink.reached = lambda stage: reached.set() if stage == "rcpt" else None
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()
    async with post.locked("emails", "SHARE ROW EXCLUSIVE"):
        await post.until(WAITING, query="%held.fence%")
        worker.kill()


async def database_away_at_mark(post: Post, worker: ServiceProcess) -> None:
    """Cuts the worker's database connections while it records outcomes, then kills it."""
    post.sink.seconds = 0.3
    await post.until(CLAIMED)
    async with post.locked("emails", "SHARE ROW EXCLUSIVE"):
        await post.until(WAITING, query="%said%")
        await post.value(CUT_OFF)
        worker.kill()


Kill = Callable[[Post, ServiceProcess], Awaitable[None]]
POINTS: Final[dict[str, Kill]] = {
    "k3": claimed,
    "k4": lambda post, worker: at_stage(post, worker, "connect"),
    "k5": lambda post, worker: at_stage(post, worker, "rcpt"),
    "k6": lambda post, worker: at_stage(post, worker, "data"),
    "k7": marking,
    "k8": marked,
    "k9": postponing,
    "k10": renewing,
    "k11": rendering,
    "k12": database_away_at_mark,
}
"""The points at which the worker is killed: after the claim, after connecting, after RCPT, after the content and before
the mail server's reply, between the reply and the record, after the record, while recording a retry, while renewing
leases, while rendering, and while recording with the database unreachable."""
TWICE: Final = {"k6", "k7", "k12"}
"""The points at which an email accepted by the mail server may not be recorded as sent yet."""


@requirement("R9")
async def test_worker_killed_at_any_point_loses_nothing(post: Post, kills: int) -> None:
    for round_number in range(kills):
        for point, kill in POINTS.items():
            await post.add(MAILS_A_POINT, f"{point}.example")
            async with post.worker() as worker:
                await kill(post, worker)
                await worker.gone()
            post.sink.seconds, post.sink.reached = 0, lambda stage: None
            post.sink.answers.clear()
            for statement in PARK:
                await change(post.queue, statement)
            print(f"round {round_number}: {point} killed")
    await change(post.queue, UNPARK)
    await change(post.queue, EXPIRE_LEASES)
    async with post.worker():
        await post.until(ALL_SENT, PATIENCE_SECONDS * kills)
    for point in POINTS:
        sent = post.deliveries(f"{point}.example")
        lost = kills * MAILS_A_POINT - len(sent)
        twice = sum(sent.values()) - len(sent)
        print(f"{point}: {len(sent)} emails, {lost} lost, {twice} duplicates")
        assert lost == 0
        assert twice <= (kills * MAX_AT_ONCE if point in TWICE else 0)
        assert max(sent.values()) <= 1 + kills


@requirement("R9")
async def test_server_killed_around_commit_stores_all_or_nothing(post: Post) -> None:
    port = free_port()
    address = {"GRPC_ADDRESS": f"127.0.0.1:{port}", "REGISTRATION_CONFIRM_EMAIL": "false"}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        auth = auth_service_pb2_grpc.AuthServiceStub(channel)
        async with (
            service_process("serve", "gRPC on port", post.home, post.url, **address) as server,
            post.locked("emails", "SHARE ROW EXCLUSIVE"),
        ):
            call = asyncio.create_task(register(auth, "k1@k1.example"))
            await post.until(WAITING, query="%INSERT INTO emails%")
            server.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                await call
        assert await post.value("SELECT count(*) FROM users WHERE email = 'k1@k1.example'") == 0
        async with service_process("serve", "gRPC on port", post.home, post.url, **address) as server:
            await register(auth, "k2@k2.example")
            server.kill()
    async with post.worker():
        await post.until(ALL_SENT)
    assert sorted(post.deliveries("k2.example").values()) == [1]
    assert post.deliveries("k1.example") == Counter()


async def register(auth: "auth_service_pb2_grpc.AuthServiceAsyncStub", email: str) -> None:
    request = auth_service_pb2.RegisterRequest(email=email, password="a long enough word 7", full_name="Karl Killed")
    await auth.Register(request, wait_for_ready=True, timeout=20)


@requirement("R9")
async def test_workers_killed_at_random_times_lose_nothing(post: Post, mails: int, kills: int) -> None:
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    times = 2 * kills  # 100 with --kills=50
    post.sink.seconds = 0.02
    killed = 0
    for _ in range(times):
        await post.add(mails // times, "random.example")
        async with post.worker() as worker:
            await asyncio.sleep(moments.uniform(0, 0.4))
            worker.kill()
            await worker.gone()
            killed += 1
        await change(post.queue, EXPIRE_LEASES)
    begun = time.monotonic()
    async with post.worker():
        await post.until(ALL_SENT, PATIENCE_SECONDS * kills)
    sent = post.deliveries("random.example")
    twice = sum(sent.values()) - len(sent)
    rest = time.monotonic() - begun
    print(f"seed {seed}: {len(sent)} emails, {killed} kills, {twice} duplicates, the rest took {rest:.1f} s")
    assert len(sent) == mails // times * times
    assert twice <= killed * MAX_AT_ONCE
