"""Every statement that the server runs, explained on tables of more than 10,000 rows: it finds its rows by an index."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event

from server.db.engine import create_engine
from server.db.metadata import metadata
from tests.fixtures.cast import Cast
from tests.fixtures.instance import running_instance
from tests.fixtures.large_hospital import FILLED, SMALL, fill
from tests.rpc.access_table import CELLS
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS, WRITES
from tests.rpc.requests import request_for
from tests.rpc.stage import Stage

EXPLAINABLE: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
COUNTS_ALL: Final = "AS is_healthy"
"""In the one statement that reads a table through: the mail queue's status counts every mail, finished ones too."""


@contextmanager
def overheard() -> Iterator[Mapping[str, Any]]:
    """The statements that all engines of this process send while the block runs, with the values they had first."""
    sent: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *rest: object) -> None:
        sent.setdefault(statement, parameters[0] if isinstance(parameters, list) else parameters)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def plans(shared_database_url: str) -> Mapping[str, Any]:
    """The plan of each statement that the server runs, by its text."""
    asyncio.run(fill(shared_database_url))
    with (
        overheard() as sent,
        running_instance(shared_database_url) as instance,
        Cast(instance) as cast,
    ):
        call_everything(cast)
    return asyncio.run(explained(shared_database_url, sent))


def call_everything(cast: Cast) -> None:
    """Every row of the access table, by the first who may."""
    stage = Stage(cast)
    for cell in CELLS:
        if cell.allowed and cell.actor == cell.first_allowed:
            actor = stage.another_session(stage[cell.actor])[0] if cell.rpc == "Logout" else stage[cell.actor]
            prescription = stage.prescription(cell.scene, fresh=RPCS[cell.rpc] in WRITES)
            request = request_for(stage, cell.rpc, prescription, actor)
            answer = over_grpc(cast, RPCS[cell.rpc], request, actor, idempotency_key=str(uuid4()))
            assert answer.ok, (cell, answer)


async def explained(database_url: str, statements: Mapping[str, Any]) -> dict[str, Any]:
    """The plans that PostgreSQL makes for these values."""
    engine = create_engine(database_url, pool_size=1)
    found = {}
    try:
        async with engine.connect() as connection:
            for statement, parameters in statements.items():
                if statement.lstrip().upper().startswith(EXPLAINABLE):
                    rows = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
                    [plan] = rows.scalar_one()
                    found[statement] = plan["Plan"]
    finally:
        await engine.dispose()
    return found


def nodes(plan: Any, above: str = "") -> Iterator[tuple[Any, str]]:
    """A plan and the plans in it, each with the type of the one above it."""
    yield plan, above
    for inner in plan.get("Plans", ()):
        yield from nodes(inner, plan["Node Type"])


def read_through(plan: Any) -> set[str]:
    """The large tables that a plan reads from the first row to the last.

    Not those of which a limit takes the first rows, whatever they are: totals are counted to 1,000.
    """
    found = set()
    for node, above in nodes(plan):
        if node["Node Type"] == "Seq Scan" and (above != "Limit" or "Filter" in node):
            found.add(node["Relation Name"])
    return found & FILLED


def test_every_table_is_large_or_known_to_stay_small() -> None:
    assert metadata.tables.keys() == FILLED | SMALL


def test_s72_no_statement_reads_a_large_table_through(plans: Mapping[str, Any]) -> None:
    offences = {statement: tables for statement, plan in plans.items() if (tables := read_through(plan))}
    excused = {statement for statement in offences if COUNTS_ALL in statement}
    assert len(excused) == 1
    assert offences.keys() == excused, "\n\n".join(f"{sorted(tables)}: {sql}" for sql, tables in offences.items())


def test_the_statements_of_every_table_were_seen(plans: Mapping[str, Any]) -> None:
    named = {node.get("Relation Name") for plan in plans.values() for node, _ in nodes(plan)}
    assert named >= FILLED
    assert len(plans) > 60
