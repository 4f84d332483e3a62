"""Tests the servicer with the real service: the fields that a message has, and those it must not have."""

import json
from typing import Any, cast

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pb

from server.api.pharmacy.servicer import Context, PharmacyServicer
from server.db.unit_of_work import UnitOfWork
from server.errors import ValidationFailed
from server.identity import Caller, set_caller
from server.pharmacy.services.pharmacy import PharmacyService
from tests.fixtures.pharmacy import PharmacyPeople, Written
from tests.fixtures.pharmacy_steps import prescribe

NO_CONTEXT = cast(Context, None)


@pytest.fixture
def servicer(pharmacy: PharmacyService) -> PharmacyServicer:
    return PharmacyServicer(pharmacy)


@pytest.fixture
async def written(work: UnitOfWork, pharmacy_people: PharmacyPeople) -> Written:
    return await prescribe(work, pharmacy_people, doctor_notes="CANARY notes")


def as_json(message: Message) -> dict[str, Any]:
    """Returns the message as REST shows it, with default values."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


async def scan(servicer: PharmacyServicer, caller: Caller, written: Written) -> dict[str, Any]:
    set_caller(caller)
    return as_json(await servicer.ScanQrCode(pb.ScanQrCodeRequest(qr_code=written.qr_text), NO_CONTEXT))


def dispense_request(written: Written, items: list[dict[str, Any]], **line: Any) -> pb.DispensePrescriptionRequest:
    values: dict[str, Any] = {"unit_price": "12.5", "batch_number": "B-1", "expiry_date": "2100-01-01", **line}
    lines = [pb.DispenseLine(item_id=item["id"], quantity=item["remainingQuantity"], **values) for item in items]
    return pb.DispensePrescriptionRequest(prescription_id=str(written.id), items=lines)


async def test_scan_returns_the_published_shape(
    pharmacy_people: PharmacyPeople, servicer: PharmacyServicer, written: Written
) -> None:
    answer = await scan(servicer, pharmacy_people.pharmacist, written)
    assert set(answer) == {"prescription", "isValid", "canDispense"}
    assert (answer["isValid"], answer["canDispense"]) == (True, True)
    prescription = answer["prescription"]
    assert set(prescription) == {
        "id", "prescriptionNumber", "patientName", "doctorName", "diagnosis", "status", "items", "qrCode",
        "patientAllergies", "patientAllergyStatus", "patientDateOfBirth", "insuranceProvider", "insuranceNumber",
        "doctorLicenseNumber", "createdAt", "expiresAt",
    }  # fmt: skip
    assert prescription["status"] == "PRESCRIPTION_STATUS_SCANNED"
    assert (prescription["patientName"], prescription["doctorLicenseNumber"]) == ("Paula Patient", "L-1")
    assert prescription["patientAllergies"] == ["Penicillin"]
    assert set(prescription["qrCode"]) == {"qrHash", "isUsed", "scanCount", "expiresAt"}
    assert (prescription["qrCode"]["isUsed"], prescription["qrCode"]["scanCount"]) == (False, 1)
    item = prescription["items"][0]
    assert (item["quantity"], item["dispensedQuantity"], item["remainingQuantity"]) == (20, 0, 20)
    assert "CANARY" not in json.dumps(answer)


async def test_the_whole_way_in_messages(
    pharmacy_people: PharmacyPeople, servicer: PharmacyServicer, written: Written
) -> None:
    items = (await scan(servicer, pharmacy_people.pharmacist, written))["prescription"]["items"]
    prescription_id = str(written.id)
    validated = as_json(
        await servicer.ValidatePrescription(pb.ValidatePrescriptionRequest(prescription_id=prescription_id), NO_CONTEXT)
    )
    assert validated["prescription"]["status"] == "PRESCRIPTION_STATUS_VALIDATED"
    assert validated["claimExpiresAt"] < validated["prescription"]["expiresAt"]

    released = as_json(
        await servicer.ReleasePrescription(pb.ReleasePrescriptionRequest(prescription_id=prescription_id), NO_CONTEXT)
    )
    assert released["prescription"]["status"] == "PRESCRIPTION_STATUS_SCANNED"

    await servicer.ValidatePrescription(
        pb.ValidatePrescriptionRequest(prescription_id=prescription_id, notes="again"), NO_CONTEXT
    )
    dispensed = as_json(await servicer.DispensePrescription(dispense_request(written, items), NO_CONTEXT))
    assert (dispensed["totalAmount"], dispensed["currency"]) == ("375.00", "EUR")
    assert dispensed["prescription"]["qrCode"]["isUsed"] is True
    assert "fulfilledAt" in dispensed["prescription"]

    summary = as_json(
        await servicer.GetDispensingSummary(pb.GetDispensingSummaryRequest(prescription_id=prescription_id), NO_CONTEXT)
    )
    assert [(one["unitPrice"], one["lineTotal"]) for one in summary["lines"]] == [
        ("12.50", "250.00"),
        ("12.50", "125.00"),
    ]
    assert (summary["totalAmount"], summary["status"]) == ("375.00", "PRESCRIPTION_STATUS_DISPENSED")

    history = as_json(await servicer.ListDispensingHistory(pb.ListDispensingHistoryRequest(), NO_CONTEXT))
    assert [(entry["action"], entry["totalAmount"], entry["currency"]) for entry in history["entries"]] == [
        ("PHARMACY_ACTION_DISPENSE", "375.00", "EUR"),
        ("PHARMACY_ACTION_VALIDATE", "", ""),
        ("PHARMACY_ACTION_RELEASE", "", ""),
        ("PHARMACY_ACTION_VALIDATE", "", ""),
        ("PHARMACY_ACTION_SCAN", "", ""),
    ]
    assert (history["totalSize"], history["nextPageToken"], history["totalSizeIsMinimum"]) == (5, "", False)
    log = as_json(
        await servicer.ListPrescriptionLog(pb.ListPrescriptionLogRequest(prescription_id=prescription_id), NO_CONTEXT)
    )
    assert log["entries"][0]["fromStatus"] == "PRESCRIPTION_STATUS_PENDING"
    assert log["entries"][-1]["toStatus"] == "PRESCRIPTION_STATUS_DISPENSED"


async def test_a_history_entry_holds_neither_diagnosis_nor_allergies(
    pharmacy_people: PharmacyPeople, servicer: PharmacyServicer, written: Written
) -> None:
    await scan(servicer, pharmacy_people.pharmacist, written)
    request = pb.ListDispensingHistoryRequest(from_date="2000-01-01", to_date="2100-12-31", action=1)  # type: ignore[arg-type]
    history = json.dumps(as_json(await servicer.ListDispensingHistory(request, NO_CONTEXT)))
    assert written.number in history
    assert "Bronchitis" not in history
    assert "Penicillin" not in history


async def test_a_lookup_and_a_rejection_in_messages(
    pharmacy_people: PharmacyPeople, servicer: PharmacyServicer, written: Written
) -> None:
    set_caller(pharmacy_people.pharmacist)
    request = pb.LookupPrescriptionsRequest(reference_number=written.number)
    (found,) = as_json(await servicer.LookupPrescriptions(request, NO_CONTEXT))["prescriptions"]
    assert (found["prescription"]["id"], found["isValid"], found["canDispense"]) == (str(written.id), True, True)
    rejection = pb.RejectPrescriptionRequest(prescription_id=str(written.id), reason="forged")
    rejected = as_json(await servicer.RejectPrescription(rejection, NO_CONTEXT))
    assert rejected["prescription"]["status"] == "PRESCRIPTION_STATUS_REJECTED"


async def test_a_date_that_does_not_exist_is_named_by_its_path(
    pharmacy_people: PharmacyPeople, servicer: PharmacyServicer, written: Written
) -> None:
    items = (await scan(servicer, pharmacy_people.pharmacist, written))["prescription"]["items"]
    with pytest.raises(ValidationFailed) as line:
        await servicer.DispensePrescription(dispense_request(written, items, expiry_date="2026-02-30"), NO_CONTEXT)
    with pytest.raises(ValidationFailed) as day:
        await servicer.ListDispensingHistory(pb.ListDispensingHistoryRequest(to_date="2026-13-01"), NO_CONTEXT)
    assert [violation.field for violation in (*line.value.violations, *day.value.violations)] == [
        "items[0].expiryDate",
        "to",
    ]
