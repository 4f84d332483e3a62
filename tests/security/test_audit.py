"""S48 to S50 and S52: every access is recorded, by whom it cannot be changed, and shown to whom it concerns."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from tests.fixtures.cast import PASSWORD, Actor, Cast
from tests.fixtures.database import as_owner
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.records import Records

Step = tuple[Actor | None, str, str, str, Any, str, int]


@pytest.fixture
def alone(database_url: str) -> Iterator[Cast]:
    """The actors of an instance whose database a test may break."""
    with running_instance(database_url) as instance, Cast(instance) as cast:
        yield cast


def records_of(cast: Cast, **filters: Any) -> list[dict[str, Any]]:
    """The audit as an admin reads it, over REST, page by page."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        query = {**filters, "pageSize": 100, "pageToken": token}
        answer = cast.http.get("/audit", params=query, headers=cast.admin.headers).json()["data"]
        found += answer["entries"]
        token = answer["nextPageToken"]
        if not token:
            return found


def a_day(cast: Cast) -> tuple[dict[str, Actor], list[Step]]:
    """Forty calls of a day, ten of them refused: who, verb, path, body, event, HTTP status."""
    patient, stranger = cast.new_patient("Paul Dayman"), cast.new_patient("Sonja Dayman")
    doctor, other_doctor, pharmacist, other = (
        cast.new_doctor(),
        cast.new_doctor(),
        cast.new_pharmacist(),
        cast.new_pharmacist(),
    )
    first, second, third = (cast.prescribe(patient.patient_id, doctor=doctor) for _ in range(3))
    qr = {"qrCode": cast.qr_text(first.id, doctor)}
    line = {
        "itemId": first.items[0].id,
        "quantity": 10,
        "unitPrice": "1.50",
        "batchNumber": "B-1",
        "expiryDate": "2099-01-31",
    }
    new = {"patientId": patient.patient_id, "diagnosis": "Flu", "items": [medicine()]}
    visit = {
        "patientId": patient.patient_id,
        "visitDate": "2026-01-05",
        "visitType": "consultation",
        "chiefComplaint": "Cough at night",
    }
    record, rx = f"/doctors/patients/{patient.patient_id}", f"/doctors/prescriptions/{first.id}"
    steps: list[Step] = [
        (doctor, "GET", record, "patient_read", None, "", 200),
        (doctor, "PUT", record, "patient_updated", {"address": "1 Day Street"}, "", 200),
        (doctor, "GET", "/doctors/patients?search=dayman", "patients_listed", None, "", 200),
        (doctor, "POST", "/doctors/medical-visits", "visit_created", visit, "", 201),
        (doctor, "GET", "/doctors/medical-visits", "visits_listed", None, "", 200),
        (doctor, "POST", "/doctors/prescriptions", "prescription_created", new, "", 201),
        (doctor, "GET", "/doctors/prescriptions", "prescriptions_listed", None, "", 200),
        (doctor, "GET", rx, "prescription_read", None, "", 200),
        (doctor, "GET", f"/qr-codes/{first.id}", "qr_code_read", None, "", 200),
        (doctor, "GET", f"/qr-codes/{first.id}/image", "qr_code_read", None, "", 200),
        (doctor, "POST", f"/qr-codes/email/{first.id}", "prescription_mailed", {}, "", 200),
        (doctor, "POST", f"/qr-codes/{second.id}/reissue", "qr_code_reissued", {}, "", 200),
        (doctor, "POST", f"/doctors/prescriptions/{second.id}/cancel", "prescription_cancelled", reason(), "", 200),
        (patient, "GET", "/patients/profile", "patient_read", None, "", 200),
        (patient, "PUT", "/patients/profile", "patient_updated", {"phone": "+49 30 5550101"}, "", 200),
        (patient, "GET", "/patients/prescriptions", "prescriptions_listed", None, "", 200),
        (patient, "GET", "/patients/access-log", "access_log_read", None, "", 200),
        (pharmacist, "POST", "/pharmacy/scan", "prescription_scanned", qr, "", 200),
        (pharmacist, "POST", f"/pharmacy/validate/{first.id}", "prescription_validated", {}, "", 200),
        (pharmacist, "POST", f"/pharmacy/release/{first.id}", "prescription_released", {}, "", 200),
        (pharmacist, "POST", f"/pharmacy/validate/{first.id}", "prescription_validated", {}, "", 200),
        (pharmacist, "POST", f"/pharmacy/dispense/{first.id}", "prescription_dispensed", {"items": [line]}, "", 200),
        (pharmacist, "GET", f"/pharmacy/dispensing-summary/{first.id}", "receipt_read", None, "", 200),
        (pharmacist, "GET", f"/pharmacy/logs/{first.id}", "prescription_log_read", None, "", 200),
        (pharmacist, "GET", "/pharmacy/history", "dispensing_history_read", None, "", 200),
        (
            pharmacist,
            "POST",
            "/pharmacy/lookup",
            "prescription_looked_up",
            {"referenceNumber": third.prescription_number},
            "",
            200,
        ),
        (pharmacist, "POST", f"/pharmacy/reject/{third.id}", "prescription_rejected", reason(), "", 200),
        (None, "POST", "/auth/login", "signed_in", {"email": other.email, "password": PASSWORD}, "", 200),
        (cast.admin, "GET", "/users", "accounts_listed", None, "", 200),
        (cast.admin, "GET", f"/users/{doctor.user_id}", "account_read", None, "", 200),
        # refused
        (None, "POST", "/auth/login", "signed_in", {"email": other.email, "password": "x"}, "INVALID_CREDENTIALS", 401),
        (stranger, "GET", f"/qr-codes/{first.id}", "qr_code_read", None, "RESOURCE_NOT_FOUND", 404),
        (other_doctor, "GET", rx, "prescription_read", None, "RESOURCE_NOT_FOUND", 404),
        (patient, "GET", record, "patient_read", None, "ROLE_NOT_ALLOWED", 403),
        (cast.admin, "GET", record, "patient_read", None, "ROLE_NOT_ALLOWED", 403),
        (pharmacist, "POST", "/pharmacy/scan", "prescription_scanned", qr, "PRESCRIPTION_DISPENSED", 400),
        (pharmacist, "POST", "/pharmacy/scan", "prescription_scanned", {"qrCode": "MC1.x"}, "QR_CODE_INVALID", 400),
        (other, "GET", f"/pharmacy/logs/{first.id}", "prescription_log_read", None, "RESOURCE_NOT_FOUND", 404),
        (
            other,
            "POST",
            "/pharmacy/lookup",
            "prescription_looked_up",
            {"referenceNumber": "RX-20260101-00000000"},
            "REFERENCE_NUMBER_INVALID",
            400,
        ),
        (doctor, "POST", f"{rx}/cancel", "prescription_cancelled", reason(), "PRESCRIPTION_DISPENSED", 400),
    ]
    return {"patient": patient, "stranger": stranger}, steps


def reason() -> dict[str, str]:
    return {"reason": "Not what was meant"}


def medicine() -> dict[str, Any]:
    return {"medicineName": "Codeine", "dosage": "15 mg", "frequency": "at night", "quantity": 5}


def test_s48_forty_calls_of_a_day_leave_forty_records_without_a_word_of_health(cast: Cast) -> None:
    people, steps = a_day(cast)
    records = Records(cast.instance)
    for actor, verb, path, _, body, _, status in steps:
        assert cast.http.request(verb, path, headers=actor.headers if actor else {}, json=body).status_code == status

    written = records.rows()
    shown = records_of(cast, **{"from": "2026-01-01"})
    ids = {str(row["id"]) for row in written}
    mine = [entry for entry in shown if entry["id"] in ids]
    expected = Counter((actor.user_id if actor else None, event, reason) for actor, _, _, event, _, reason, _ in steps)
    strangers = {event for actor, _, _, event, _, _, _ in steps if actor is None}
    found = Counter(
        (None if entry["event"] in strangers else entry["actorId"], entry["event"], entry["reason"]) for entry in mine
    )
    assert len(steps) == 40
    assert found == expected
    assert Counter(entry["outcome"] for entry in mine) == {"success": 30, "denied": 5, "failure": 5}
    about = [entry for entry in mine if people["patient"].patient_id in entry["patientIds"]]
    assert {entry["event"] for entry in about} >= {
        "patient_read",
        "patients_listed",
        "prescription_dispensed",
        "prescription_rejected",
    }
    for canary in ("Dayman", "Codeine", "Flu", "Cough", "Day Street", "MC1.", "Not what", PASSWORD):
        assert canary not in repr(written)


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"action": "read"}, lambda entry: entry["action"] == "read"),
        ({"event": "signed_in"}, lambda entry: entry["event"] == "signed_in"),
        ({"outcome": "denied"}, lambda entry: entry["outcome"] == "denied"),
        ({"role": "doctor"}, lambda entry: entry["actorRole"] == "doctor"),
        ({"to": "2000-01-01"}, lambda _: False),
    ],
)
def test_s48_the_list_is_narrowed_by_each_filter(
    cast: Cast, filters: dict[str, str], holds: Callable[[dict[str, Any]], bool]
) -> None:
    patient = cast.new_patient()
    cast.prescribe(patient.patient_id)
    cast.rest("GET", f"/doctors/patients/{patient.patient_id}", patient)
    everything, narrowed = records_of(cast, patientId=patient.patient_id), records_of(cast, **filters)
    assert all(map(holds, narrowed))
    assert bool(narrowed) == ("to" not in filters)
    assert {entry["event"] for entry in everything} == {"account_registered", "prescription_created", "patient_read"}
    assert [entry["outcome"] for entry in everything] == ["denied", "success", "success"]


def test_s48_a_repeated_write_is_recorded_as_a_repeat(cast: Cast) -> None:
    patient, key = cast.new_patient(), {"idempotency-key": "audit-0123456789abcdef"}
    body = {"patientId": patient.patient_id, "diagnosis": "Flu", "items": [medicine()]}
    records = Records(cast.instance)
    for _ in range(2):
        cast.http.post("/doctors/prescriptions", headers={**cast.doctor.headers, **key}, json=body)
    assert [(told.event, told.reason) for told in records.told()] == [
        ("prescription_created", ""),
        ("prescription_created", "idempotent-replayed"),
    ]


def test_s48_limits_strangers_and_unreadable_requests_are_not_recorded(cast: Cast) -> None:
    doctor, records = cast.doctor, Records(cast.instance)
    assert cast.rest("GET", "/doctors/patients", None)[0] == 401
    assert cast.rest("GET", "/doctors/patients/nonsense", doctor)[0] == 400
    assert cast.rest("POST", "/auth/login", None, {"email": "nobody"})[0] == 400
    assert records.rows() == []


def test_s49_what_cannot_be_recorded_is_neither_shown_nor_done(alone: Cast, database_url: str) -> None:
    patient, doctor = alone.new_patient("Canaria Birdsong"), alone.doctor
    path = f"/doctors/patients/{patient.patient_id}"
    assert "Canaria" in str(alone.rest("GET", path, doctor))
    before = alone.instance.run(count(database_url, "prescriptions"))
    alone.instance.run(as_owner(database_url, "REVOKE INSERT ON audit_records FROM medconnect_app"))

    status, body = alone.rest("GET", path, doctor)
    assert (status, body["error"]["type"]) == (500, "INTERNAL")
    assert "Canaria" not in str(body)
    new = {"patientId": patient.patient_id, "diagnosis": "Flu", "items": [medicine()]}
    assert alone.rest("POST", "/doctors/prescriptions", doctor, new)[0] == 500
    assert alone.rest("GET", "/patients/prescriptions", patient)[0] == 500
    assert alone.instance.run(count(database_url, "prescriptions")) == before

    alone.instance.run(as_owner(database_url, "GRANT INSERT ON audit_records TO medconnect_app"))
    assert alone.rest("GET", path, doctor)[0] == 200


async def count(url: str, table: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608
    finally:
        await connection.close()


@pytest.mark.parametrize("table", ["audit_records", "audit_seals"])
@pytest.mark.parametrize("change", ["UPDATE {} SET hash = hash", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("role", ["medconnect_app", "owner"])
async def test_s50_nobody_changes_or_removes_a_record(database_url: str, table: str, change: str, role: str) -> None:
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


async def test_s50_the_service_acts_as_a_role_that_owns_nothing(instance: RunningInstance) -> None:
    rows = instance.run(acting_role(instance))
    assert rows == ("medconnect_app", 0)


async def acting_role(instance: RunningInstance) -> tuple[str, int]:
    statement = text(
        "SELECT current_user::text, (SELECT count(*)::int FROM pg_class WHERE relowner = 'medconnect_app'::regrole)"
    )
    async with instance.core.work.read() as tx:
        row = (await tx.connection.execute(statement)).one()
    return row[0], row[1]


def test_s52_a_patient_sees_who_touched_his_record_and_nothing_of_others(cast: Cast) -> None:
    mine, other, doctor = cast.new_patient("Mia Mine"), cast.new_patient("Otto Other"), cast.new_doctor()
    for patient in (mine, other):
        cast.rest("GET", f"/doctors/patients/{patient.patient_id}", doctor)
    written = cast.prescribe(mine.patient_id, doctor=doctor)
    cast.rest("GET", f"/doctors/patients/{mine.patient_id}", other)  # refused: no access, so not listed

    status, body = cast.rest("GET", "/patients/access-log", mine)
    entries = body["data"]["entries"]
    assert status == 200
    assert [(entry["event"], entry["actorRole"], entry["action"]) for entry in entries] == [
        ("prescription_created", "doctor", "create"),
        ("patient_read", "doctor", "read"),
        ("account_registered", "patient", "create"),
    ]
    assert entries[0]["prescriptionNumber"] == written.prescription_number
    assert entries[1]["actorName"] == "Sam Staff"
    again = cast.rest("GET", "/patients/access-log", mine)[1]["data"]["entries"]
    assert again[0]["event"] == "access_log_read"
    assert cast.rest("GET", "/patients/access-log", doctor)[0] == 403
    page = cast.http.get("/patients/access-log", params={"pageSize": 2}, headers=mine.headers).json()["data"]
    assert len(page["entries"]) == 2
    stolen = {"pageSize": 2, "pageToken": page["nextPageToken"]}
    assert cast.http.get("/patients/access-log", params=stolen, headers=other.headers).status_code == 400
