"""Tests that a write repeated with its idempotency key is executed once, whatever happens in between."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from medconnect.pharmacy.v1 import pharmacy_service_pb2
from sqlalchemy import text

from server.db.engine import create_pool
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import VersionConflict
from server.identity import Role
from tests.fixtures.clock import SettableClock
from tests.fixtures.database import CommittingWork, as_owner
from tests.interceptors.probe import BODY, EDGE, PATHS, House, Metadata, running_house

KEY = "0123456789abcdef"
OTHER_BODY = pharmacy_service_pb2.ScanQrCodeRequest(qr_code="MC1.k1.xyz").SerializeToString()
CODE = grpc.StatusCode


class Ledger:
    """A use case that writes a row and counts its runs, and then runs `after`."""

    def __init__(self, work: UnitOfWork) -> None:
        self.work = work
        self.runs = 0
        self.after: Callable[[], Awaitable[None]] | None = None

    async def __call__(self) -> None:
        self.runs += 1
        async with self.work.begin() as tx:
            await tx.connection.execute(text("INSERT INTO ledger VALUES (:run)"), {"run": self.runs})
        if self.after is not None:
            await self.after()

    async def sql(self, statement: str) -> list[Any]:
        """Runs a statement in its own transaction and returns the first value of each row."""
        async with self.work.begin() as tx:
            return await tx.connection.scalars(text(statement))

    async def written(self) -> tuple[list[Any], int]:
        """Returns the rows of the use case, and the number of stored keys."""
        [keys] = await self.sql("SELECT count(*) FROM idempotency_keys")
        return await self.sql("SELECT run FROM ledger"), keys


OPEN = "GRANT SELECT, INSERT ON ledger TO medconnect_app"


@pytest.fixture
async def real_work(shared_database_url: str) -> AsyncIterator[UnitOfWork]:
    """Yields a unit of work that commits."""
    pool = create_pool(shared_database_url, pool_size=10)
    yield CommittingWork(pool)
    await pool.close()


@pytest.fixture
async def house(real_work: UnitOfWork, clock: SettableClock, tmp_path: Path) -> AsyncIterator[House]:
    """Serves the toy service, on storage that commits, with idempotent methods."""
    async with running_house(real_work, clock, tmp_path) as running:
        running.declare(idempotent=True)
        yield running


@pytest.fixture
async def ledger(house: House, real_work: UnitOfWork, shared_database_url: str) -> Ledger:
    """Returns the behaviour of the probe."""
    ledger = Ledger(real_work)
    await as_owner(shared_database_url, "DROP TABLE IF EXISTS ledger", "CREATE TABLE ledger (run integer)", OPEN)
    await ledger.sql("DELETE FROM idempotency_keys")
    house.probe.act = ledger
    return ledger


@pytest.fixture
def caller(house: House) -> Metadata:
    """Returns the metadata of a signed-in caller with a key."""
    return [*house.bearer(Role.DOCTOR), ("idempotency-key", KEY)]


async def test_first_success_is_returned_again_byte_for_byte(house: House, ledger: Ledger, caller: Metadata) -> None:
    first = await house.call("unary", caller)
    again = await house.call("unary", caller)
    assert (first.code, again.code) == (CODE.OK, CODE.OK)
    assert first.bodies == again.bodies != [b""]
    assert "idempotent-replayed" not in first.headers
    assert again.trailing["idempotent-replayed"] == "true"
    assert await ledger.written() == ([1], 1)


async def test_rest_callers_see_a_replay_in_the_initial_metadata(
    house: House, ledger: Ledger, caller: Metadata
) -> None:
    for _ in range(2):
        answer = await house.call("unary", [*EDGE, *caller], channel=house.edge)
    assert answer.initial["idempotent-replayed"] == "true"
    assert "x-message" in answer.initial
    assert ledger.runs == 1


async def test_a_call_without_a_key_is_executed_each_time(house: House, ledger: Ledger) -> None:
    for _ in range(2):
        await house.call("unary", house.bearer())
    assert await ledger.written() == ([1, 2], 0)


async def test_the_same_key_with_another_request_is_refused(house: House, ledger: Ledger, caller: Metadata) -> None:
    await house.call("unary", caller)
    answer = await house.call("unary", caller, OTHER_BODY)
    assert (answer.code, answer.reason) == (CODE.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED")
    assert "idempotent-replayed" not in answer.headers
    assert ledger.runs == 1


async def test_of_thirty_calls_at_once_one_is_executed(house: House, ledger: Ledger, caller: Metadata) -> None:
    async def work() -> None:
        await asyncio.sleep(0.05)

    ledger.after = work
    answers = await asyncio.gather(*(house.call("unary", caller) for _ in range(30)))
    outcomes = Counter(
        answer.headers.get("idempotent-replayed", "first") if answer.code is CODE.OK else answer.reason
        for answer in answers
    )
    assert outcomes["first"] == 1
    assert set(outcomes) <= {"first", "true", "REQUEST_IN_PROGRESS"}
    assert outcomes["REQUEST_IN_PROGRESS"] > 0
    assert await ledger.written() == ([1], 1)
    refused = next(answer for answer in answers if answer.code is not CODE.OK)
    assert (refused.code, refused.trailing["retry-after"]) == (CODE.ABORTED, "1")


async def test_a_failure_is_not_kept_and_takes_its_writes_along(house: House, ledger: Ledger, caller: Metadata) -> None:
    async def fail() -> None:
        raise VersionConflict(version=2)

    ledger.after = fail
    assert (await house.call("unary", caller)).reason == "VERSION_CONFLICT"
    assert await ledger.written() == ([], 0)
    ledger.after = None
    assert (await house.call("unary", caller)).code is CODE.OK
    assert await ledger.written() == ([2], 1)


async def test_a_key_that_cannot_be_kept_takes_the_writes_along(
    house: House,
    ledger: Ledger,
    caller: Metadata,
    log_lines: Callable[[], list[dict[str, Any]]],
    shared_database_url: str,
) -> None:
    await as_owner(shared_database_url, "ALTER TABLE idempotency_keys ADD CONSTRAINT nothing CHECK (false)")
    answer = await house.call("unary", caller)
    await as_owner(shared_database_url, "ALTER TABLE idempotency_keys DROP CONSTRAINT nothing")
    assert answer.reason == "INTERNAL"
    assert {line["event"] for line in log_lines()} == {"call", "call_failed"}
    assert await ledger.written() == ([], 0)


async def test_a_call_that_runs_out_of_time_leaves_nothing(house: House, ledger: Ledger, caller: Metadata) -> None:
    async def hang() -> None:
        await asyncio.sleep(5)

    ledger.after = hang
    assert (await house.call("unary", caller, seconds=0.3)).code is CODE.DEADLINE_EXCEEDED
    assert await ledger.written() == ([], 0)
    ledger.after = None
    assert (await house.call("unary", caller)).code is CODE.OK


async def test_another_caller_or_method_has_keys_of_its_own(house: House, ledger: Ledger, caller: Metadata) -> None:
    other_caller = [*house.bearer(Role.DOCTOR), ("idempotency-key", KEY)]
    await house.call("unary", caller)
    [method] = await ledger.sql("SELECT method FROM idempotency_keys")
    assert method == PATHS["unary"].removeprefix("/")
    await ledger.sql("UPDATE idempotency_keys SET method = 'medconnect.other.v1.OtherService/GetEmailQueueStatus'")
    for metadata in (caller, other_caller):
        answer = await house.call("unary", metadata, OTHER_BODY)
        assert (answer.code, "idempotent-replayed" in answer.headers) == (CODE.OK, False)
    assert await ledger.written() == ([1, 2, 3], 3)


async def test_a_key_whose_hash_was_erased_matches_any_request(house: House, ledger: Ledger, caller: Metadata) -> None:
    await house.call("unary", caller)
    await ledger.sql("UPDATE idempotency_keys SET request_hash = ''")
    answer = await house.call("unary", caller, OTHER_BODY)
    assert (answer.code, answer.headers["idempotent-replayed"]) == (CODE.OK, "true")
    assert ledger.runs == 1


async def test_all_sessions_of_a_caller_share_their_keys(house: House, ledger: Ledger) -> None:
    user_id = new_id()
    for _ in range(2):
        answer = await house.call("unary", [*house.bearer(Role.DOCTOR, user_id), ("idempotency-key", KEY)])
    assert answer.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("key", ["", "short", "x" * 15, "x" * 256, "0123456789abcde ", "0123 456789abcdef"])
async def test_a_key_has_16_to_255_printable_characters(house: House, ledger: Ledger, key: str) -> None:
    answer = await house.call("unary", [*house.bearer(), ("idempotency-key", key)])
    # The transport strips blanks around a value, so one of these is too short.
    assert (answer.code, answer.reason) == (CODE.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_INVALID")
    assert ledger.runs == 0


@pytest.mark.parametrize("key", ["x" * 16, "x" * 255, "!~" * 8])
async def test_a_key_at_the_bounds_is_taken(house: House, ledger: Ledger, key: str) -> None:
    for _ in range(2):
        assert (await house.call("unary", [*house.bearer(), ("idempotency-key", key)])).code is CODE.OK


async def test_two_keys_are_none(house: House, ledger: Ledger, caller: Metadata) -> None:
    answer = await house.call("unary", [*caller, ("idempotency-key", "f" * 16)])
    assert answer.reason == "IDEMPOTENCY_KEY_INVALID"


@pytest.mark.parametrize(("hours", "replayed"), [(23.9, True), (24.1, False)])
async def test_key_is_stored_for_a_day_and_may_then_be_used_again(
    house: House, ledger: Ledger, caller: Metadata, hours: float, replayed: bool
) -> None:
    await house.call("unary", caller)
    await ledger.sql(f"UPDATE idempotency_keys SET created_at = now() - interval '{hours} hours'")  # noqa: S608
    answer = await house.call("unary", caller, BODY if replayed else OTHER_BODY)
    assert (answer.code, "idempotent-replayed" in answer.headers) == (CODE.OK, replayed)
    assert (await house.call("unary", caller, BODY if replayed else OTHER_BODY)).headers["idempotent-replayed"]
    assert ledger.runs == (1 if replayed else 2)


async def test_role_and_limits_are_checked_before_a_replay(house: House, ledger: Ledger) -> None:
    user_id = new_id()
    key = ("idempotency-key", KEY)
    await house.call("unary", [*house.bearer(Role.DOCTOR, user_id), key])
    assert (await house.call("unary", [*house.bearer(Role.PATIENT, user_id), key])).reason == "ROLE_NOT_ALLOWED"
    assert (await house.call("unary", [key])).reason == "UNAUTHENTICATED"


async def test_a_bad_request_is_refused_before_its_key_is_looked_at(
    house: House, ledger: Ledger, caller: Metadata
) -> None:
    await house.call("unary", caller)
    assert (await house.call("unary", caller, b"\x0a\xff")).reason == "MALFORMED_BODY"


@pytest.mark.parametrize("changes", [{"idempotent": False}, {"public": True}])
async def test_key_is_ignored_for_other_methods_and_anonymous_callers(
    house: House, ledger: Ledger, changes: dict[str, bool]
) -> None:
    house.declare(**changes)
    key = [("idempotency-key", "short")]
    metadata = key if "public" in changes else [*house.bearer(), *key]
    for _ in range(2):
        assert (await house.call("unary", metadata)).code is CODE.OK
    assert await ledger.written() == ([1, 2], 0)
