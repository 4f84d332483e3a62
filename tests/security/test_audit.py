"""S48 to S50 and S52: every access is recorded, records cannot be changed, and patients see those about them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2
from sqlalchemy import text

from server.audit.events import Outcome
from tests.fixtures.actors import Actors
from tests.fixtures.database import as_owner
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.fixtures.records import Records
from tests.rpc.access_table import CELLS, OK
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS, WRITES, access_of
from tests.rpc.requests import request_for
from tests.rpc.signed_in_stage import SignedInStage
from tests.rpc.test_access_matrix import acting, owners_marks


@pytest.fixture
def actors_of_own_instance(database_url: str) -> Iterator[Actors]:
    """Returns the actors of an instance whose database a test may break."""
    with running_instance(database_url) as instance, Actors(instance) as actors:
        yield actors


def records_of(actors: Actors, **filters: Any) -> list[dict[str, Any]]:
    """Returns the audit as an admin reads it over REST, page by page."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        query = {**filters, "pageSize": 100, "pageToken": token}
        answer = actors.http.get("/audit", params=query, headers=actors.admin.headers).json()["data"]
        found += answer["entries"]
        token = answer["nextPageToken"]
        if not token:
            return found


def medicine() -> dict[str, Any]:
    return {"medicineName": "Codeine", "dosage": "15 mg", "frequency": "at night", "quantity": 5}


@control("S48")
@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"action": "read"}, lambda entry: entry["action"] == "read"),
        ({"action": "create"}, lambda entry: entry["action"] == "create"),
        ({"event": "signed_in"}, lambda entry: entry["event"] == "signed_in"),
        ({"outcome": "denied"}, lambda entry: entry["outcome"] == "denied"),
        ({"outcome": "success"}, lambda entry: entry["outcome"] == "success"),
        ({"role": "doctor"}, lambda entry: entry["actorRole"] == "doctor"),
        ({"role": "patient"}, lambda entry: entry["actorRole"] == "patient"),
        ({"to": "2000-01-01"}, lambda _: False),
    ],
)
def test_the_list_is_narrowed_by_each_filter(
    actors: Actors, filters: dict[str, str], holds: Callable[[dict[str, Any]], bool]
) -> None:
    patient = actors.new_patient()
    actors.prescribe(patient.patient_id)
    actors.rest("GET", f"/doctors/patients/{patient.patient_id}", patient)
    everything, narrowed = records_of(actors, patientId=patient.patient_id), records_of(actors, **filters)
    assert all(map(holds, narrowed))
    assert bool(narrowed) == ("to" not in filters)
    assert {entry["event"] for entry in everything} == {"account_registered", "prescription_created", "patient_read"}
    assert [entry["outcome"] for entry in everything] == ["denied", "success", "success"]


@control("S48")
@pytest.mark.parametrize("scanned", [False, True], ids=["written", "scanned"])
def test_repeated_write_is_recorded_as_a_repeat(actors: Actors, scanned: bool) -> None:
    patient, key = actors.new_patient(), {"idempotency-key": "audit-0123456789abcdef"}
    actor, path = actors.doctor, "/doctors/prescriptions"
    body: dict[str, Any] = {"patientId": patient.patient_id, "diagnosis": "Flu", "items": [medicine()]}
    if scanned:
        actor, path = actors.new_pharmacist(), "/pharmacy/scan"
        body = {"qrCode": actors.qr_text(actors.prescribe(patient.patient_id).id)}
    records = Records(actors.instance)
    for _ in range(2):
        actors.http.post(path, headers={**actor.headers, **key}, json=body)
    first, again = records.told()
    assert first.patient_ids == (patient.patient_id,)
    assert again == replace(first, reason="idempotent-replayed")
    told = actors.rest("GET", "/patients/access-log", patient)[1]["data"]["entries"]
    assert [entry["event"] for entry in told].count(first.event) == 1


@control("S48")
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("rpc", "event", "reason"),
    [("Login", "signed_in", "INVALID_CREDENTIALS"), ("ResetPassword", "password_reset", "OTP_INVALID")],
)
def test_wrong_secret_with_a_token_is_recorded_once(
    actors: Actors, face: str, rpc: str, event: str, reason: str
) -> None:
    intruder, victim, records = actors.new_patient(), actors.new_doctor(), Records(actors.instance)
    requests: dict[str, Message] = {
        "Login": auth_service_pb2.LoginRequest(email=victim.email, password="wrong"),
        "ResetPassword": auth_service_pb2.ResetPasswordRequest(
            email=victim.email, otp_code="000000", new_password="a fresh start, 2041"
        ),
    }
    assert FACES[face](actors, RPCS[rpc], requests[rpc], intruder).reason == reason
    [told] = records.told()
    assert (told.event, told.reason, told.outcome) == (event, reason, Outcome.FAILURE)
    assert (told.actor_id, told.object_id) == (intruder.user_id, victim.user_id)


@control("S48")
def test_limited_anonymous_unreadable_are_not_recorded(actors: Actors) -> None:
    doctor, records = actors.doctor, Records(actors.instance)
    assert actors.rest("GET", "/doctors/patients", None)[0] == 401
    assert actors.rest("GET", "/doctors/patients/nonsense", doctor)[0] == 400
    assert actors.rest("POST", "/auth/login", None, {"email": "nobody"})[0] == 400
    assert records.rows() == []


@control("S49")
def test_what_cannot_be_recorded_is_neither_shown_nor_done(actors_of_own_instance: Actors, database_url: str) -> None:
    """Calls every method whose successes are recorded as the first permitted actor, over gRPC and REST in turn."""
    stage = SignedInStage(actors_of_own_instance)
    allowed = {(cell.rpc, cell.scene): cell for cell in reversed(CELLS) if cell.expected == OK}
    prepared = []
    for cell in allowed.values():
        rpc, actor = RPCS[cell.rpc], acting(stage, cell)
        if access_of(rpc).audit:
            prescription = stage.prescription(cell.scene, fresh=rpc in WRITES)
            prepared.append((cell, request_for(stage, cell.rpc, prescription, actor), actor))
    marks, before = owners_marks(stage), stage.written()
    actors_of_own_instance.instance.run(as_owner(database_url, "REVOKE INSERT ON audit_records FROM medconnect_app"))

    for number, (cell, request, actor) in enumerate(prepared):
        answer = tuple(FACES.values())[number % 2](actors_of_own_instance, RPCS[cell.rpc], request, actor)
        # The edge refuses REST calls once the instance has noticed, and is no longer ready.
        assert (answer.http, answer.reason) in ((500, "INTERNAL"), (503, "UNAVAILABLE")), cell.rpc
        assert not [mark for mark in marks if mark in str(answer.body)]
    assert stage.written() == before
    assert len(prepared) > 50

    actors_of_own_instance.instance.run(as_owner(database_url, "GRANT INSERT ON audit_records TO medconnect_app"))
    end = time.monotonic() + within(5)  # The instance is ready again at its next look.
    while (status := actors_of_own_instance.rest("GET", "/doctors/patients", stage["DO"])[0]) == 503:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert status == 200


@control("S50")
@pytest.mark.parametrize("table", ["audit_records", "audit_seals"])
@pytest.mark.parametrize("change", ["UPDATE {} SET hash = hash", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("role", ["medconnect_app", "owner"])
async def test_nobody_changes_or_removes_a_record(database_url: str, table: str, change: str, role: str) -> None:
    statement = change.format(table).replace("hash = hash", "transaction_id = 0")
    connection = await asyncpg.connect(database_url)
    try:
        if role != "owner":
            await connection.execute(f"SET ROLE {role}")
        refused = "permission denied" if role != "owner" else "are only added"
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=refused):
            await connection.execute(statement)
    finally:
        await connection.close()


@control("S50")
async def test_the_service_acts_as_a_role_that_owns_nothing(instance: RunningInstance) -> None:
    rows = instance.run(acting_role(instance))
    assert rows == ("medconnect_app", 0)


async def acting_role(instance: RunningInstance) -> tuple[str, int]:
    statement = text(
        "SELECT current_user::text, (SELECT count(*)::int FROM pg_class WHERE relowner = 'medconnect_app'::regrole)"
    )
    async with instance.core.health_work.read() as tx:
        row = await tx.connection.one(statement)
    return row[0], row[1]


@control("S52")
def test_patient_sees_only_accesses_of_their_record(actors: Actors) -> None:
    mine, other, doctor = actors.new_patient("Mia Mine"), actors.new_patient("Otto Other"), actors.new_doctor()
    for patient in (mine, other):
        actors.rest("GET", f"/doctors/patients/{patient.patient_id}", doctor)
    written = actors.prescribe(mine.patient_id, doctor=doctor)
    actors.rest("GET", f"/doctors/patients/{mine.patient_id}", other)  # refused: no access, so not listed

    status, body = actors.rest("GET", "/patients/access-log", mine)
    entries = body["data"]["entries"]
    assert status == 200
    assert [(entry["event"], entry["actorRole"], entry["action"]) for entry in entries] == [
        ("prescription_created", "doctor", "create"),
        ("patient_read", "doctor", "read"),
        ("account_registered", "patient", "create"),
    ]
    assert entries[0]["prescriptionNumber"] == written.prescription_number
    assert entries[1]["actorName"] == "Sam Staff"
    again = actors.rest("GET", "/patients/access-log", mine)[1]["data"]["entries"]
    assert again[0]["event"] == "access_log_read"
    others = actors.rest("GET", "/patients/access-log?excludeOwnReads=true", mine)[1]["data"]["entries"]
    assert others == entries
    assert actors.rest("GET", "/patients/access-log", doctor)[0] == 403
    page = actors.http.get("/patients/access-log", params={"pageSize": 2}, headers=mine.headers).json()["data"]
    assert len(page["entries"]) == 2
    stolen = {"pageSize": 2, "pageToken": page["nextPageToken"]}
    assert actors.http.get("/patients/access-log", params=stolen, headers=other.headers).status_code == 400
