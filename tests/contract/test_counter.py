"""A prescription at the pharmacy, from the scan to the receipt: every REST response, exactly."""

from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.contract.shapes import ID, NUMBER, PAGE_TOKEN, TIME, item, qr_code, refused, succeeded
from tests.fixtures.actors import Actor, Actors

PERSON: Final = {
    "patientName": "Pat Patient",
    "patientAllergies": ["Penicillin"],
    "patientAllergyStatus": "listed",
    "patientDateOfBirth": "1980-01-31",
    "insuranceProvider": "",
    "insuranceNumber": "",
    "doctorName": "Sam Staff",
    "doctorLicenseNumber": "MD-1",
}
REASON: Final = {"reason": "The dosage is unclear"}


@dataclass(frozen=True, slots=True)
class Counter:
    """A pharmacist, and a prescription of 20 units of one medicine and 1 of another."""

    actors: Actors
    patient: Actor
    pharmacist: Actor
    id: str
    number: str
    item_ids: tuple[str, ...]

    def does(self, action: str, said: str, body: Any) -> dict[str, Any]:
        """Calls an action that must succeed, and returns its data."""
        message = f"Prescription {said} successfully"
        return succeeded(self.actors, 200, message, f"POST /pharmacy/{action}", self.pharmacist, body)

    def validates(self) -> dict[str, Any]:
        return self.does(f"validate/{self.id}", "validated", {"notes": "Seen"})

    def fails(self, type_: str, action: str, body: Any, **expected: Any) -> None:
        """Calls an action that must be refused with 400."""
        refused(self.actors, 400, type_, f"POST /pharmacy/{action}/{self.id}", self.pharmacist, body, **expected)


@pytest.fixture
def counter(actors: Actors) -> Counter:
    patient = actors.new_patient()
    written = actors.prescribe(patient.patient_id, 20, 1)
    ids = tuple(line.id for line in written.items)
    return Counter(actors, patient, actors.new_pharmacist(), written.id, written.prescription_number, ids)


def prescription(status: str, dispensed: tuple[int, int] = (0, 0), scans: int = 1, **known: Any) -> dict[str, Any]:
    return {
        **PERSON,
        "id": ID,
        "prescriptionNumber": NUMBER,
        "diagnosis": "Sinusitis",
        "status": status,
        "items": [item("Medicine 0", 20, dispensed[0]), item("Medicine 1", 1, dispensed[1])],
        "qrCode": qr_code(scans, used=status == "dispensed"),
        "createdAt": TIME,
        "expiresAt": TIME,
        **known,
    }


def line(item_id: str, quantity: int, price: str) -> dict[str, Any]:
    of = {"batchNumber": "B-1", "expiryDate": "2030-01-31"}
    return {"itemId": item_id, "quantity": quantity, "unitPrice": price, **of}


def test_a_prescription_is_dispensed_in_two_parts(counter: Counter) -> None:
    text = {"qrCode": counter.actors.qr_text(counter.id)}
    scanned = counter.does("scan", "scanned", text)
    assert scanned == {"prescription": prescription("scanned"), "isValid": True, "canDispense": True}
    assert counter.validates() == {"prescription": prescription("validated"), "claimExpiresAt": TIME}
    tablets, spray = counter.item_ids
    partly = {"items": [line(tablets, 15, "0.5")], "notes": "The rest on Friday"}
    assert counter.does(f"dispense/{counter.id}", "dispensed", partly) == {
        "prescription": prescription("partially_dispensed", (15, 0)),
        "totalAmount": "7.50",
        "currency": "USD",
    }
    assert counter.validates() == {"prescription": prescription("validated", (15, 0)), "claimExpiresAt": TIME}
    rest = {"items": [line(tablets, 5, "0.5"), line(spray, 1, "12")]}
    assert counter.does(f"dispense/{counter.id}", "dispensed", rest) == {
        "prescription": prescription("dispensed", (20, 1), fulfilledAt=TIME),
        "totalAmount": "14.50",
        "currency": "USD",
    }
    over = {"state": "dispensed", "changedAt": TIME}
    refused(counter.actors, 400, "PRESCRIPTION_DISPENSED", "POST /pharmacy/scan", counter.pharmacist, text, **over)
    counter.fails("PRESCRIPTION_DISPENSED", "dispense", rest, **over)
    assert_receipt(counter)
    assert_log(counter)


def paid(item_id: str, medicine: str, quantity: int, price: str, total: str) -> dict[str, Any]:
    amount = {"exactQuantity": str(quantity), "quantityUnit": "piece", "productCode": ""}
    given = {"dispensedMedicineName": "", "substitutionReason": ""}
    where = {"pharmacyName": "Corner Pharmacy", "dispensedAt": TIME}
    return {**line(item_id, quantity, price), "medicineName": medicine, "lineTotal": total, **where, **amount, **given}


def assert_receipt(counter: Counter) -> None:
    """Verifies the receipt, which is the same for pharmacist and patient."""
    tablets, spray = counter.item_ids
    for actor in (counter.pharmacist, counter.patient):
        call, said = f"GET /pharmacy/dispensing-summary/{counter.id}", "Dispensing summary retrieved successfully"
        assert succeeded(counter.actors, 200, said, call, actor) == {
            "prescriptionNumber": counter.number,
            "patientName": "Pat Patient",
            "status": "dispensed",
            "lines": [
                paid(tablets, "Medicine 0", 15, "0.50", "7.50"),
                paid(tablets, "Medicine 0", 5, "0.50", "2.50"),
                paid(spray, "Medicine 1", 1, "12.00", "12.00"),
            ],
            "totalAmount": "22.00",
            "currency": "USD",
            "closingReason": "",
        }


def assert_log(counter: Counter) -> None:
    """Verifies the prescription's history, oldest first, and the pharmacist's log, newest first."""
    call, said = f"GET /pharmacy/logs/{counter.id}?pageSize=1", "Prescription log retrieved successfully"
    logged = succeeded(counter.actors, 200, said, call, counter.pharmacist)
    entry = {
        "id": ID,
        "action": "scan",
        "fromStatus": "pending",
        "toStatus": "scanned",
        "notes": "",
        "occurredAt": TIME,
    }
    names = {"pharmacistName": "Sam Staff", "pharmacyName": "Corner Pharmacy"}
    page = {"nextPageToken": PAGE_TOKEN, "totalSizeIsMinimum": False}
    assert logged == {"entries": [{**entry, **names}], "totalSize": 5, **page}
    call, said = "GET /pharmacy/history?action=dispense&pageSize=1", "Dispensing history retrieved successfully"
    tablets, spray = counter.item_ids
    latest = {
        "id": ID,
        "action": "dispense",
        "prescriptionId": counter.id,
        "prescriptionNumber": counter.number,
        "patientName": "Pat Patient",
        "pharmacistName": "Sam Staff",
        "lines": [
            paid(tablets, "Medicine 0", 5, "0.50", "2.50"),
            paid(spray, "Medicine 1", 1, "12.00", "12.00"),
        ],
        "totalAmount": "14.50",
        "currency": "USD",
        "notes": "",
        "occurredAt": TIME,
    }
    history = succeeded(counter.actors, 200, said, call, counter.pharmacist)
    assert history == {"entries": [latest], "totalSize": 2, **page}


def test_a_prescription_is_looked_up_released_and_rejected(counter: Counter) -> None:
    number = {"referenceNumber": counter.number.lower()}
    said, call = "Prescriptions retrieved successfully", "POST /pharmacy/lookup"
    found = succeeded(counter.actors, 200, said, call, counter.pharmacist, number)
    seen = prescription("scanned", scans=0)
    listed = [{"prescription": seen, "isValid": True, "canDispense": True}]
    assert found == {"prescriptions": listed, "referenceNumber": counter.number, "hasMore": False}
    counter.validates()
    released = counter.does(f"release/{counter.id}", "released", {})
    assert released == {"prescription": seen}
    rejected = counter.does(f"reject/{counter.id}", "rejected", REASON)
    assert rejected == {"prescription": prescription("rejected", scans=0)}
    counter.fails("PRESCRIPTION_REJECTED", "reject", REASON, state="rejected", changedAt=TIME)


def test_what_cannot_be_dispensed_is_said_line_by_line(counter: Counter) -> None:
    counter.does("scan", "scanned", {"qrCode": counter.actors.qr_text(counter.id)})
    tablets, spray = counter.item_ids
    good = line(tablets, 20, "0.5")
    counter.fails("PRESCRIPTION_STATE", "dispense", {"items": [good]}, state="scanned")
    counter.validates()
    bad = [line(tablets, 21, "0.5"), line(spray, 1, "12.345")]
    counter.fails("VALIDATION_FAILED", "dispense", {"items": bad}, fields=["items[1].unitPrice"])
    counter.fails("VALIDATION_FAILED", "dispense", {"items": bad[:1]}, fields=["items[0].quantity"])
    past = {**good, "expiryDate": "2020-01-31"}
    counter.fails("VALIDATION_FAILED", "dispense", {"items": [past]}, fields=["items[0].expiryDate"])
    number = {"items": [{**good, "unitPrice": 0.5}]}
    counter.fails("VALIDATION_FAILED", "dispense", number, fields=["items[0].unitPrice"], limited=False)


def test_prescription_claimed_elsewhere_is_shown_not_claimable(counter: Counter) -> None:
    text = {"qrCode": counter.actors.qr_text(counter.id)}
    counter.does("scan", "scanned", text)
    counter.validates()
    other = counter.actors.new_pharmacist()
    said, call = "Prescription scanned successfully", "POST /pharmacy/scan"
    seen = succeeded(counter.actors, 200, said, call, other, text)
    assert seen == {"prescription": prescription("validated", scans=2), "isValid": True, "canDispense": False}
    call = f"POST /pharmacy/validate/{counter.id}"
    refused(counter.actors, 400, "CLAIMED_BY_OTHER", call, other, {}, state="validated", claimExpiresAt=TIME)
    never_seen = counter.actors.new_pharmacist()
    refused(counter.actors, 404, "RESOURCE_NOT_FOUND", call, never_seen, {}, resource="prescription")


@pytest.mark.parametrize("text", ["MC1.x.y", "hello"])
def test_a_text_that_is_no_code_of_ours_is_refused(counter: Counter, text: str) -> None:
    refused(
        counter.actors,
        400,
        "QR_CODE_INVALID",
        "POST /pharmacy/scan",
        counter.pharmacist,
        {"qrCode": text},
        fields=["qrCode"],
    )
