"""Tests the audit records of calls that end before their response is sent."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from server.api.interceptors import deadline
from server.audit.events import AuditEvent, Outcome
from server.audit.storage.audit_writer import AuditWriter
from server.db.unit_of_work import UnitOfWork
from server.identity import Role
from tests.fixtures.proofs import control
from tests.interceptors.probe import BODY, PATHS, House


async def recorded(work: UnitOfWork) -> list[tuple[Any, ...]]:
    statement = text("SELECT event, outcome, reason FROM audit_records WHERE rpc LIKE '%/GetEmailQueueStatus'")
    async with work.read() as tx:
        return [tuple(row) for row in await tx.connection.rows(statement)]


@control("S48")
async def test_call_past_its_deadline_is_recorded_as_a_fault(
    house: House, work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "DEFAULT_SECONDS", 0.15)
    house.declare(audit=AuditEvent.PRESCRIPTION_DISPENSED)
    house.probe.act = lambda: asyncio.sleep(20)
    answer = await house.call("unary", house.bearer())
    assert answer.reason == "DEADLINE_EXCEEDED"
    assert await recorded(work) == [("prescription_dispensed", Outcome.FAULT, "DEADLINE_EXCEEDED")]


@control("S48")
async def test_rejection_is_recorded_after_caller_disconnects(
    house: House, work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    writing: list[asyncio.Task[Any] | None] = []
    refused = AuditWriter.refused

    async def slowly(*values: Any) -> None:
        writing.append(asyncio.current_task())
        begun.set()
        await go_on.wait()
        await refused(*values)

    monkeypatch.setattr(AuditWriter, "refused", slowly)
    through: Any = house.direct  # The stubs require serializers, but raw bytes need none.
    call = through.unary_unary(PATHS["unary"])(BODY, metadata=house.bearer(Role.PATIENT))
    await begun.wait()
    call.cancel()
    await asyncio.sleep(0.1)  # Wait until the server has received it.
    go_on.set()
    await asyncio.wait([task for task in writing if task])
    assert await recorded(work) == [("access_denied", Outcome.DENIED, "ROLE_NOT_ALLOWED")]
