"""Patients, visits, prescriptions, QR codes and medical histories: every REST response, exactly."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.contract.shapes import (
    DATE,
    ID,
    NUMBER,
    PAGE_TOKEN,
    REFERENCE,
    TEXT,
    TIME,
    WHOLE_PAGE,
    item,
    qr_code,
    refused,
    succeeded,
)
from tests.fixtures.actors import Actor, Actors, new_email

PATIENT: Final[dict[str, Any]] = {
    "fullName": "Nina Novak",
    "phone": "+41 44 123 45 67",
    "dateOfBirth": "1990-02-28",
    "gender": "female",
    "bloodType": "A+",
    "address": "Lane 2",
    "emergencyContact": "Ned Novak",
    "emergencyPhone": "+41 44 123 45 68",
    "insuranceProvider": "Healthy Life",
    "insuranceNumber": "HL-2",
    "allergies": ["Latex"],
    "existingConditions": ["Asthma"],
}
VISIT: Final[dict[str, Any]] = {
    "visitDate": "2026-11-20",
    "visitType": "follow_up",
    "chiefComplaint": "Headache",
    "symptoms": "Pain",
    "diagnosis": "Sinusitis",
    "treatmentNotes": "Rest",
    "recommendations": "Water",
    "hospitalName": "St. Luke's",
    "vitalSigns": {"bloodPressure": "120/80", "heartRate": 70, "temperature": 36.6, "weight": 70.5, "height": 175},
}
TABLETS: Final[dict[str, Any]] = {"medicineName": "Doxycycline", "dosage": "1", "frequency": "daily", "quantity": 20}
SPRAY: Final[dict[str, Any]] = {"medicineName": "Spray", "dosage": "1", "frequency": "daily", "quantity": 1}
HOW: Final[dict[str, Any]] = {"instructions": "With water", "route": "oral", "durationDays": 10}
HISTORY: Final = "/patients/medical-history"
NOBODY: Final = "0193d1c0-0000-7000-8000-000000000000"


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


def as_its_patient_sees_it(*items: dict[str, Any], **known: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "prescriptionNumber": NUMBER,
        "doctorName": "Sam Staff",
        "diagnosis": "Sinusitis",
        "status": "pending",
        "items": list(items),
        "qrCode": qr_code(),
        "createdAt": TIME,
        "expiresAt": TIME,
        "statusReason": "",
        **known,
    }


def as_its_doctor_sees_it(patient: Actor, *items: dict[str, Any], **known: Any) -> dict[str, Any]:
    own = {"patientId": patient.patient_id, "patientName": "Pat Patient", "visitId": "", "doctorNotes": ""}
    return as_its_patient_sees_it(*items, **{**own, "patientEmailStatus": "reachable", **known})


def visit_of(patient: Actor) -> dict[str, Any]:
    names = {"patientId": patient.patient_id, "patientName": "Pat Patient", "doctorName": "Sam Staff"}
    return {"id": ID, **names, **VISIT, "createdAt": TIME}


def test_a_patient_is_recorded_found_and_changed(actors: Actors) -> None:
    body = {"email": new_email(), **PATIENT}
    made = succeeded(actors, 201, "Patient created successfully", "POST /doctors/patients", actors.doctor, body)
    record = {"id": ID, "referenceNumber": REFERENCE, "version": 1, "createdAt": TIME, "updatedAt": TIME, **body}
    identification = {"identifiedBy": "Sam Staff", "identifiedAt": TIME}
    record |= {"emailStatus": "reachable", "assurance": "identified", "identification": identification}
    record |= {"identificationNote": "", "allergyStatus": "listed"}
    assert made == {"patient": record}
    path = f"/doctors/patients/{made['patient']['id']}"
    assert succeeded(actors, 200, "Patient retrieved successfully", f"GET {path}", actors.doctor) == made
    change = {"version": 1, "address": "Lane 3", "clear": ["allergies"]}
    changed = succeeded(actors, 200, "Patient updated successfully", f"PUT {path}", actors.doctor, change)
    cleared = {"allergies": [], "allergyStatus": "not_recorded"}
    assert changed == {"patient": {**record, "address": "Lane 3", **cleared, "version": 2}}
    refused(actors, 409, "VERSION_CONFLICT", f"PUT {path}", actors.doctor, change, version=2)
    search = f"GET /doctors/patients?search={made['patient']['referenceNumber']}"
    found = succeeded(actors, 200, "Patients retrieved successfully", search, actors.doctor)
    row = {name: record[name] for name in ("id", "referenceNumber", "fullName", "dateOfBirth", "assurance")}
    assert found == {"patients": [row], "totalSize": 1, **WHOLE_PAGE}


def test_a_visit_is_recorded_and_listed(actors: Actors, patient: Actor) -> None:
    body = {"patientId": patient.patient_id, **VISIT}
    path = "/doctors/medical-visits"
    made = succeeded(actors, 201, "Medical visit created successfully", f"POST {path}", actors.doctor, body)
    assert made == {"visit": visit_of(patient)}
    query = f"GET {path}?patientId={patient.patient_id}&from=2026-11-20&to=2026-11-20"
    listed = succeeded(actors, 200, "Medical visits retrieved successfully", query, actors.doctor)
    assert listed == {"visits": [made["visit"]], "totalSize": 1, **WHOLE_PAGE}
    wrong = {**body, "visitType": "party", "chiefComplaint": "Ow"}
    refused(actors, 400, "VALIDATION_FAILED", f"POST {path}", actors.doctor, wrong, fields=["visitType"], limited=False)
    wrong = {**body, "visitDate": "2026-02-30"}
    refused(actors, 400, "VALIDATION_FAILED", f"POST {path}", actors.doctor, wrong, fields=["visitDate"])


def test_prescription_for_a_later_day_is_refused_at_the_counter(actors: Actors, patient: Actor) -> None:
    path, day = "POST /doctors/prescriptions", (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    later = {"validFrom": day, "validDays": 5}
    body = {"patientId": patient.patient_id, "diagnosis": "Sinusitis", "items": [TABLETS], **later}
    made = succeeded(actors, 201, "Prescription created successfully", path, actors.doctor, body)["prescription"]
    assert made == as_its_doctor_sees_it(patient, item("Doxycycline", 20), validFrom=day)
    (seen,) = succeeded(actors, 200, "Prescriptions retrieved successfully", "GET /patients/prescriptions", patient)[
        "prescriptions"
    ]
    assert seen == as_its_patient_sees_it(item("Doxycycline", 20), validFrom=day)
    for action in ({"qrCode": actors.qr_text(made["id"])}, {"referenceNumber": made["prescriptionNumber"]}):
        call = f"POST /pharmacy/{'scan' if 'qrCode' in action else 'lookup'}"
        refused(actors, 400, "NOT_YET_VALID", call, actors.pharmacist, action, validFrom=day)
    days: list[dict[str, Any]] = [{"validFrom": "2026-02-30"}, {"validFrom": "2020-01-01"}, {"validFrom": "tomorrow"}]
    for wrong in (*days, {"validDays": 0}, {"validDays": 366}):
        refused(actors, 400, "VALIDATION_FAILED", path, actors.doctor, {**body, **wrong}, fields=list(wrong))


def test_prescription_of_two_medicines_is_created_read_cancelled(actors: Actors, patient: Actor) -> None:
    said, path = "Medical visit created successfully", "/doctors/prescriptions"
    visit_body = {"patientId": patient.patient_id, **VISIT}
    visit_id = succeeded(actors, 201, said, "POST /doctors/medical-visits", actors.doctor, visit_body)["visit"]["id"]
    body = {
        "patientId": patient.patient_id,
        "visitId": visit_id,
        "diagnosis": "Sinusitis",
        "doctorNotes": "After meals",
        "items": [{**TABLETS, **HOW}, SPRAY],
    }
    made = succeeded(actors, 201, "Prescription created successfully", f"POST {path}", actors.doctor, body)
    items = item("Doxycycline", 20, **HOW), item("Spray", 1)
    expected = as_its_doctor_sees_it(patient, *items, visitId=visit_id, doctorNotes="After meals")
    assert made == {"prescription": expected}
    own = f"{path}/{made['prescription']['id']}"
    assert succeeded(actors, 200, "Prescription retrieved successfully", f"GET {own}", actors.doctor) == made
    page = {"totalSize": 1, **WHOLE_PAGE}
    query = f"GET {path}?patientId={patient.patient_id}&status=pending&status=scanned"
    said = "Prescriptions retrieved successfully"
    assert succeeded(actors, 200, said, query, actors.doctor) == {"prescriptions": [expected], **page}
    seen = succeeded(actors, 200, said, "GET /patients/prescriptions", patient)
    assert seen == {"prescriptions": [as_its_patient_sees_it(*items)], **page}
    reason = {"reason": "Another medicine is better"}
    cancelled = succeeded(
        actors, 200, "Prescription cancelled successfully", f"POST {own}/cancel", actors.doctor, reason
    )
    assert cancelled == {"prescription": {**expected, "status": "cancelled", "statusReason": reason["reason"]}}
    refused(
        actors,
        400,
        "PRESCRIPTION_CANCELLED",
        f"POST {own}/cancel",
        actors.doctor,
        reason,
        state="cancelled",
        changedAt=TIME,
    )


def test_invalid_prescription_is_refused_with_each_field(actors: Actors, patient: Actor) -> None:
    call = "POST /doctors/prescriptions"
    body = {"patientId": patient.patient_id, "diagnosis": "S", "items": [TABLETS, {**SPRAY, "quantity": 0}]}
    refused(actors, 400, "VALIDATION_FAILED", call, actors.doctor, body, fields=["diagnosis", "items[1].quantity"])
    refused(actors, 400, "VALIDATION_FAILED", call, actors.doctor, {**body, "items": []}, fields=["diagnosis", "items"])
    body = {"patientId": NOBODY, "diagnosis": "Sinusitis", "items": [TABLETS]}
    refused(actors, 404, "RESOURCE_NOT_FOUND", call, actors.doctor, body, resource="patient")
    refused(actors, 403, "ROLE_NOT_ALLOWED", call, patient, body)


def test_patient_reads_and_updates_own_record(actors: Actors, patient: Actor) -> None:
    record = {
        **dict.fromkeys(("phone", "bloodType", "address", "emergencyContact", "emergencyPhone"), ""),
        **dict.fromkeys(("insuranceProvider", "insuranceNumber"), ""),
        "id": patient.patient_id,
        "email": patient.email,
        "fullName": "Pat Patient",
        "referenceNumber": REFERENCE,
        "dateOfBirth": "1980-01-31",
        "gender": "other",
        "allergies": ["Penicillin"],
        "version": 1,
        "createdAt": TIME,
        "updatedAt": TIME,
        "fullEmails": False,
        "assurance": "self_asserted",
        "allergyStatus": "listed",
    }
    said = "Profile retrieved successfully"
    assert succeeded(actors, 200, said, "GET /patients/profile", patient) == {"patient": record}
    change: dict[str, Any] = {"address": "Hill 4", "emergencyContact": "Paul Patient"}
    changed = succeeded(actors, 200, "Profile updated successfully", "PUT /patients/profile", patient, change)
    assert changed == {"patient": {**record, **change, "version": 2}}
    change |= {"allergies": [], "noKnownAllergies": True, "version": 2}
    asked = succeeded(actors, 200, "Profile updated successfully", "PUT /patients/profile", patient, change)
    none_known = {"allergyStatus": "none_known", "allergiesAsked": {"askedBy": "Pat Patient", "askedAt": TIME}}
    del change["noKnownAllergies"]
    assert asked == {"patient": {**record, **change, **none_known, "version": 3}}


def test_qr_code_is_returned_drawn_replaced_and_emailed(actors: Actors, patient: Actor) -> None:
    path = f"/qr-codes/{actors.prescribe(patient.patient_id).id}"
    shown = succeeded(actors, 200, "QR code retrieved successfully", f"GET {path}", patient)
    picture = base64.b64decode(shown["qrCodeImage"].removeprefix("data:image/png;base64,"), validate=True)
    assert shown.pop("qrCode").startswith("RX")
    assert shown == {"qrCodeImage": TEXT, **qr_code()}
    drawn = actors.http.get(f"{path}/image", headers=patient.headers)
    assert (drawn.status_code, drawn.headers["content-type"], drawn.content) == (200, "image/png", picture)
    replaced = succeeded(actors, 200, "QR code reissued successfully", f"POST {path}/reissue", patient, {})
    assert replaced == {"qrCode": qr_code()}
    assert replaced["qrCode"]["qrHash"] != shown["qrHash"]
    mail = path.replace("/qr-codes/", "/qr-codes/email/")
    mailed = succeeded(actors, 200, "Prescription email queued successfully", f"POST {mail}", patient, {})
    assert mailed == {"prescriptionNumber": NUMBER, "qrCode": qr_code()}
    refused(actors, 404, "RESOURCE_NOT_FOUND", f"GET {path}", actors.new_patient(), resource="prescription")
    refused(actors, 404, "RESOURCE_NOT_FOUND", f"GET {path}/image", actors.new_doctor(), resource="prescription")


def test_history_opens_to_patient_with_code_and_to_doctor(actors: Actors, patient: Actor) -> None:
    said = "Medical visit created successfully"
    body = {"patientId": patient.patient_id, **VISIT}
    succeeded(actors, 201, said, "POST /doctors/medical-visits", actors.doctor, body)
    actors.prescribe(patient.patient_id)
    refused(actors, 403, "OTP_REQUIRED", f"GET {HISTORY}", patient, requiresOtp=True)
    said = "A code is on its way to your email address"
    assert succeeded(actors, 200, said, f"POST {HISTORY}/otp", patient, {}) == {"expiresAt": TIME}
    wrong = {"otpCode": "000000"}
    code = {"otpCode": actors.history_code(patient)}
    if code != wrong:
        refused(actors, 400, "OTP_INVALID", f"POST {HISTORY}/confirm", patient, wrong, fields=["otpCode"])
    said = "Medical history opened successfully"
    assert succeeded(actors, 200, said, f"POST {HISTORY}/confirm", patient, code) == {"expiresAt": TIME}
    said, medicine = "Medical history retrieved successfully", item("Medicine 0", 10)
    visited = {"date": "2026-11-20", "visit": visit_of(patient)}
    page = {"totalSize": 2, **WHOLE_PAGE}
    own = {"date": DATE, "prescription": as_its_patient_sees_it(medicine)}
    assert succeeded(actors, 200, said, f"GET {HISTORY}", patient) == {
        **page,
        "entries": [own, visited],
        "existingConditions": [],
    }
    theirs = {"date": DATE, "prescription": as_its_doctor_sees_it(patient, medicine)}
    query = f"GET /doctors/patients/{patient.patient_id}/medical-history"
    assert succeeded(actors, 200, said, query, actors.new_doctor()) == {"entries": [theirs, visited], **page}


def test_patient_lists_accesses_to_own_record(actors: Actors, patient: Actor) -> None:
    succeeded(
        actors, 200, "Patient retrieved successfully", f"GET /doctors/patients/{patient.patient_id}", actors.doctor
    )
    call = "GET /patients/access-log?pageSize=1"
    answered = succeeded(actors, 200, "Access log retrieved successfully", call, patient)
    entry = {
        "id": ID,
        "occurredAt": TIME,
        "actorName": "Sam Staff",
        "actorRole": "doctor",
        "actorWorkplace": "",
        "event": "patient_read",
        "action": "read",
        "prescriptionNumber": "",
        "changedFields": [],
    }
    assert answered.pop("totalSize") > 1
    assert answered == {"entries": [entry], "nextPageToken": PAGE_TOKEN, "totalSizeIsMinimum": False}
