"""REST answers have exactly the shapes that callers rely on."""

import re

from tests.fixtures.actors import Actors

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")


def test_scan_returns_exactly_the_contracts_shape(actors: Actors) -> None:
    patient = actors.new_patient()
    prescription = actors.prescribe(patient.patient_id, 20)
    text = actors.qr_text(prescription.id)

    status, answer = actors.rest("POST", "/pharmacy/scan", actors.pharmacist, {"qrCode": text})

    assert status == 200
    assert answer.keys() == {"success", "message", "data"}
    assert answer["success"] is True
    assert answer["message"] == "Prescription scanned successfully"
    data = answer["data"]
    assert data.keys() == {"prescription", "isValid", "canDispense"}
    assert data["isValid"] is True
    assert data["canDispense"] is True
    found = data["prescription"]
    times = {name: found.pop(name) for name in ("createdAt", "expiresAt")}
    times["qrCode.expiresAt"] = found["qrCode"].pop("expiresAt")
    assert all(TIME.fullmatch(moment) for moment in times.values()), times
    assert found == {
        "id": prescription.id,
        "prescriptionNumber": prescription.prescription_number,
        "patientName": "Pat Patient",
        "doctorName": "Sam Staff",
        "diagnosis": "Sinusitis",
        "status": "scanned",
        "items": [
            {
                "id": prescription.items[0].id,
                "medicineName": "Medicine 0",
                "dosage": "1",
                "frequency": "daily",
                "quantity": 20,
                "instructions": "",
                "route": "",
                "dispensedQuantity": 0,
                "remainingQuantity": 20,
                "quantityUnit": "piece",
                "exactQuantity": "20",
                "exactDispensedQuantity": "0",
                "exactRemainingQuantity": "20",
            }
        ],
        "qrCode": {"qrHash": prescription.qr_code.qr_hash, "isUsed": False, "scanCount": 1},
        "patientAllergies": ["Penicillin"],
        "patientAllergyStatus": "listed",
        "patientDateOfBirth": "1980-01-31",
        "insuranceProvider": "",
        "insuranceNumber": "",
        "doctorLicenseNumber": "MD-1",
    }


def test_queue_status_returns_exactly_the_contracts_shape(actors: Actors) -> None:
    status, answer = actors.rest("GET", "/events/email-queue/status", actors.admin)

    assert status == 200
    data = answer.pop("data")
    assert answer == {"success": True, "message": "Email queue status retrieved successfully"}
    counts = [data.pop(name) for name in ("pendingJobs", "processingJobs", "completedJobs", "failedJobs")]
    assert all(type(count) is int for count in counts)
    assert data.pop("totalJobs") == sum(counts)
    assert data.pop("isHealthy") is True
    assert TIME.fullmatch(data.pop("lastUpdated"))
    assert data == {}


def test_creation_returns_201_and_failures_share_one_shape(actors: Actors) -> None:
    body = {"email": "not an address", "password": "short", "fullName": ""}
    status, answer = actors.rest("POST", "/auth/register", None, body)

    assert status == 400
    assert answer["success"] is False
    error = answer["error"]
    assert error.keys() == {"message", "statusCode", "type", "requestId", "details"}
    assert (error["statusCode"], error["type"]) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in error["details"]] == ["email", "password", "fullName"]

    status, answer = actors.rest(
        "POST",
        "/doctors/patients",
        actors.doctor,
        {"fullName": "No Email", "dateOfBirth": "2001-02-03", "gender": "female", "bloodType": "AB-"},
    )
    assert (status, answer["message"]) == (201, "Patient created successfully")
    assert answer["data"]["patient"]["gender"] == "female"
