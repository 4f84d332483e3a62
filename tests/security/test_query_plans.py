"""Every statement of the server, explained on tables of more than 10,000 rows, finds its rows by an index."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.options.v1 import access_pb2, audit_pb2

from benchmarks.hospital.databases import QR_KEY
from benchmarks.plan import Statement
from benchmarks.recording import recorded
from server.db.metadata import metadata
from tests.fixtures.actors import Actors
from tests.fixtures.instance import running_instance
from tests.fixtures.large_hospital import FILLED, SMALL, fill
from tests.fixtures.proofs import control
from tests.rpc.access_table import CELLS
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS, WRITES
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage

EXPLAINABLE: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
MEANS_ALL: Final = ("AS is_healthy", "WHERE state = 'completed' AND finished_at IS NOT NULL")
"""The two statements that read a whole table: the email queue's status counts every email, and clearing it removes
every one that was sent."""


Sent = Mapping[str, Statement]
"""Statements by their text, each with the parameters that it was first sent with."""


@pytest.fixture(scope="module")
def sent(shared_database_url: str) -> Sent:
    """Returns every statement that the server sends on a large database while it does all that it can do."""
    asyncio.run(fill(shared_database_url))
    noted: dict[str, Statement] = {}
    with (
        recorded(lambda statement: noted.setdefault(statement.sql, statement)),
        running_instance(shared_database_url, qr_encryption_key=QR_KEY) as instance,
        Actors(instance) as actors,
    ):
        call_everything(actors)
        narrow(actors)
    return noted


@pytest.fixture(scope="module")
def plans(shared_database_url: str, sent: Sent) -> Mapping[str, Any]:
    """Returns the plan of each statement, by its text."""
    return asyncio.run(explained(shared_database_url, sent))


def call_everything(actors: Actors) -> None:
    """Calls every row of the access table as the first permitted actor."""
    stage = SignedInStage(actors)
    for cell in CELLS:
        if cell.allowed and cell.actor == cell.first_allowed:
            actor = stage.another_session(stage[cell.actor])[0] if cell.rpc == "Logout" else stage[cell.actor]
            prescription = stage.prescription(cell.scene, fresh=RPCS[cell.rpc] in WRITES)
            request = request_for(stage, cell.rpc, prescription, actor)
            answer = over_grpc(actors, RPCS[cell.rpc], request, actor, idempotency_key=str(uuid4()))
            assert answer.ok, (cell, answer)


def narrow(actors: Actors) -> None:
    """Lists with filters that match few rows."""
    actors.clinical.ListPatients(clinical.ListPatientsRequest(search="zz"), metadata=actors.doctor.metadata)
    actors.auth.ListUsers(auth.ListUsersRequest(search="zz"), metadata=actors.admin.metadata)
    for request in (
        auth.ListAuditRecordsRequest(patient_id=str(uuid4())),
        auth.ListAuditRecordsRequest(event=audit_pb2.AUDIT_EVENT_KEYS_CHANGED),
        auth.ListAuditRecordsRequest(role=access_pb2.ROLE_ADMIN),
        auth.ListAuditRecordsRequest(action=audit_pb2.AUDIT_ACTION_DELETE),
        auth.ListAuditRecordsRequest(outcome=audit_pb2.AUDIT_OUTCOME_DENIED),
    ):
        actors.auth.ListAuditRecords(request, metadata=actors.admin.metadata)


async def explained(database_url: str, statements: Sent, without_index: str = "") -> dict[str, Any]:
    """Returns the plans that PostgreSQL makes for the service's connections, as if one index did not exist."""
    settings = {"jit": "off", "plan_cache_mode": "force_generic_plan"}
    connection = await asyncpg.connect(database_url, server_settings=settings)
    transaction = connection.transaction()
    await transaction.start()
    try:
        if without_index:
            await connection.execute(f"DROP INDEX {without_index}")
        return {sql: await plan_of(connection, one) for sql, one in statements.items() if is_explainable(sql)}
    finally:
        await transaction.rollback()
        await connection.close()


async def plan_of(connection: Any, statement: Statement) -> Any:
    """Returns the plan of a prepared statement, which does not depend on its values."""
    parameters = statement.parameters[0] if statement.many else statement.parameters
    values = f"({', '.join(['NULL'] * len(parameters))})" if parameters else ""
    await connection.execute(f"PREPARE explained AS {statement.sql}")
    [plan] = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained {values}"))
    await connection.execute("DEALLOCATE explained")
    return plan["Plan"]


def is_explainable(sql: str) -> bool:
    return sql.lstrip().upper().startswith(EXPLAINABLE) and "pg_catalog" not in sql


def nodes(plan: Any, above: str = "") -> Iterator[tuple[Any, str]]:
    """Returns a plan and the plans in it, each with the type of its parent."""
    yield plan, above
    for inner in plan.get("Plans", ()):
        yield from nodes(inner, plan["Node Type"])


def read_through(plan: Any) -> set[str]:
    """Returns the large tables that a plan reads from the first row to the last.

    Not those of which a limit takes the first rows, whatever they are: totals are counted to 1,000.
    """
    found = set()
    for node, above in nodes(plan):
        if node["Node Type"] == "Seq Scan" and (above != "Limit" or "Filter" in node):
            found.add(node["Relation Name"])
    return found & FILLED


def offences(plans: Mapping[str, Any]) -> dict[str, set[str]]:
    """Returns the statements that read a large table through, with these tables."""
    return {statement: tables for statement, plan in plans.items() if (tables := read_through(plan))}


def test_every_table_is_large_or_known_to_stay_small() -> None:
    assert metadata.tables.keys() == FILLED | SMALL


@control("S72")
def test_no_statement_reads_a_large_table_through(plans: Mapping[str, Any]) -> None:
    found = offences(plans)
    excused = {statement for statement in found if any(words in statement for words in MEANS_ALL)}
    assert len(excused) == len(MEANS_ALL)
    assert found.keys() == excused, "\n\n".join(f"{sorted(tables)}: {sql}" for sql, tables in found.items())


@control("S72")
@pytest.mark.parametrize(
    ("index", "table"),
    [
        ("ix_prescriptions_patient_id_created_at_id", "prescriptions"),
        ("ix_pharmacy_log_prescription_id_occurred_at_id", "pharmacy_log"),
        ("ix_visits_patient_id_visit_date_id", "visits"),
        ("ix_emails_created_at_id", "emails"),
        ("ix_refresh_tokens_session_id", "refresh_tokens"),
    ],
)
def test_a_statement_without_its_index_is_found(
    shared_database_url: str, sent: Sent, plans: Mapping[str, Any], index: str, table: str
) -> None:
    without = offences(asyncio.run(explained(shared_database_url, sent, without_index=index)))
    assert any(table in tables for sql, tables in without.items() if sql not in offences(plans))


@control("S72")
def test_what_few_lines_have_is_found_by_its_own_index(plans: Mapping[str, Any]) -> None:
    used = {node.get("Index Name") for plan in plans.values() for node, _ in nodes(plan)}
    assert used >= {
        "ix_patients_name_words",
        "ix_users_name_words",
        "ix_audit_records_patient_ids",
        "ix_audit_records_event_occurred_at_id",
        "ix_audit_records_other_roles",
        "ix_audit_records_changes",
        "ix_audit_records_unsuccessful",
    }


@control("S72")
def test_search_sorts_matches_instead_of_full_scan(plans: Mapping[str, Any]) -> None:
    searches = [statement for statement in plans if "name_words @@" in statement]
    assert len(searches) == 2
    assert all("ORDER BY (" in statement for statement in searches)  # as one value, which no index covers


def test_the_statements_of_every_table_were_seen(plans: Mapping[str, Any]) -> None:
    named = {node.get("Relation Name") for plan in plans.values() for node, _ in nodes(plan)}
    assert named >= FILLED
    assert len(plans) > 60
