"""Quantities are decimals with units, which clients of before see rounded down; clinical writes lose no field."""

from decimal import Decimal
from typing import Any

import grpc
import pytest
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import quantity_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from tests.fixtures.actors import Actor, Actors

BATCH = {"unitPrice": "0.33", "batchNumber": "B-1", "expiryDate": "2099-12-31"}
ML: dict[str, Any] = {"medicineName": "Ibuprofen", "dosage": "20 mg/ml", "frequency": "daily", "quantityUnit": "ml"}


@pytest.fixture(scope="module")
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@pytest.fixture(scope="module")
def pharmacist(actors: Actors) -> Actor:
    return actors.new_pharmacist()


def prescribe(actors: Actors, patient: Actor, **item: Any) -> Any:
    """Creates a prescription of one medicine over REST."""
    body = {"patientId": patient.patient_id, "diagnosis": "Fever", "items": [{**ML, **item}]}
    return actors.http.post("/doctors/prescriptions", headers=actors.doctor.headers, json=body)


def dispense(actors: Actors, pharmacist: Actor, prescription: Any, **line: Any) -> Any:
    """Claims a prescription and dispenses one line over REST."""
    actors.claim(prescription["id"], pharmacist)
    body = {"items": [{"itemId": prescription["items"][0]["id"], **BATCH, **line}]}
    return actors.http.post(f"/pharmacy/dispense/{prescription['id']}", headers=pharmacist.headers, json=body)


def amounts(item: Any) -> tuple[Any, ...]:
    """Returns the quantities of an item, the exact ones first."""
    names = ("Quantity", "DispensedQuantity", "RemainingQuantity")
    return (
        *(item[f"exact{name}"] for name in names),
        *(item[name[0].lower() + name[1:]] for name in names),
        item["quantityUnit"],
    )


def test_decimal_quantity_is_dispensed_in_parts_and_sums_exactly(
    actors: Actors, patient: Actor, pharmacist: Actor
) -> None:
    written = prescribe(actors, patient, exactQuantity="2.500").json()["data"]["prescription"]
    assert amounts(written["items"][0]) == ("2.5", "0", "2.5", 2, 0, 2, "ml")
    seen = []
    for part in ("0.1", "0.2", "2"):
        answer = dispense(actors, pharmacist, written, exactQuantity=part, quantityUnit="ml").json()["data"]
        seen.append((amounts(answer["prescription"]["items"][0])[:3], answer["totalAmount"]))
    assert seen == [
        (("2.5", "0.1", "2.4"), "0.03"),
        (("2.5", "0.3", "2.2"), "0.07"),
        (("2.5", "2.3", "0.2"), "0.66"),
    ]
    assert dispense(actors, pharmacist, written, exactQuantity="0.201").status_code == 400
    last = dispense(actors, pharmacist, written, exactQuantity="0.2").json()["data"]["prescription"]
    assert (last["status"], amounts(last["items"][0])[:3]) == ("dispensed", ("2.5", "2.5", "0"))
    receipt = actors.http.get(f"/pharmacy/dispensing-summary/{written['id']}", headers=pharmacist.headers)
    lines = receipt.json()["data"]["lines"]
    assert sum(Decimal(line["exactQuantity"]) for line in lines) == Decimal("2.5")
    assert {line["quantityUnit"] for line in lines} == {"ml"}
    assert receipt.json()["data"]["totalAmount"] == "0.83"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "quantity"),
        ({"exactQuantity": "0"}, "exactQuantity"),
        ({"exactQuantity": "0.000"}, "exactQuantity"),
        ({"exactQuantity": "2.0001"}, "exactQuantity"),
        ({"exactQuantity": "2,5"}, "exactQuantity"),
        ({"exactQuantity": "1e3"}, "exactQuantity"),
        ({"exactQuantity": "10000.001"}, "exactQuantity"),
        ({"exactQuantity": "2.5", "quantity": 3}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10001}, "quantity"),
        ({"quantity": 2, "unit": "ml"}, "unit"),
    ],
)
def test_wrong_quantity_is_refused_by_name(actors: Actors, patient: Actor, given: Any, field: str) -> None:
    answer = prescribe(actors, patient, **given)
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [f"items[0].{field}"]


def test_client_of_before_writes_and_reads_whole_pieces(actors: Actors, patient: Actor, pharmacist: Actor) -> None:
    written = prescribe(actors, patient, quantity=2, exactQuantity="2.5").json()["data"]["prescription"]
    line = {"quantity": written["items"][0]["remainingQuantity"]}
    left = dispense(actors, pharmacist, written, **line).json()["data"]["prescription"]
    assert (left["status"], amounts(left["items"][0])) == (
        "partially_dispensed",
        ("2.5", "2", "0.5", 2, 2, 0, "ml"),
    )
    other_unit = dispense(actors, pharmacist, written, exactQuantity="0.5", quantityUnit="g")
    assert [detail["field"] for detail in other_unit.json()["error"]["details"]] == ["items[0].quantityUnit"]
    plain = actors.prescribe(patient.patient_id, 3)
    assert (plain.items[0].exact_quantity, plain.items[0].quantity_unit) == ("3", quantity_pb2.QUANTITY_UNIT_PIECE)


def test_unknown_number_in_a_clinical_write_is_refused(actors: Actors, patient: Actor, pharmacist: Actor) -> None:
    """Field 90 of a newer client, at the top and inside an item: tag 722 in two bytes, length 1, one byte."""
    unknown = b"\xd2\x05\x01a"
    request = clinical.CreatePrescriptionRequest(patient_id=patient.patient_id, diagnosis="Fever")
    request.items.add(medicine_name="Ibuprofen", dosage="1", frequency="daily", quantity=2).MergeFromString(unknown)
    request.MergeFromString(unknown)
    with pytest.raises(grpc.RpcError) as refusal:
        actors.clinical.CreatePrescription(request, metadata=actors.doctor.metadata)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailing: Any = refusal.value.trailing_metadata()
    assert b"items[0].90" in dict(trailing)["grpc-status-details-bin"]
    reading = pharmacy.ListDispensingHistoryRequest()
    reading.MergeFromString(unknown)
    actors.pharmacy.ListDispensingHistory(reading, metadata=pharmacist.metadata)


@pytest.mark.parametrize("expiry", ["01/2099", "2099-01", "2099-01-31", "1.2099"])
def test_batches_are_dispensed_together_until_their_months_end(
    actors: Actors, patient: Actor, pharmacist: Actor, expiry: str
) -> None:
    written = prescribe(actors, patient, exactQuantity="2.5").json()["data"]["prescription"]
    item_id = written["items"][0]["id"]
    both = [
        {"itemId": item_id, **BATCH, "expiryDate": expiry, "exactQuantity": "1.5", "productCode": "04012345678901"},
        {"itemId": item_id, **BATCH, "batchNumber": "B-2", "exactQuantity": "1"},
    ]
    actors.claim(written["id"], pharmacist)
    path, headers = f"/pharmacy/dispense/{written['id']}", pharmacist.headers
    more = [*both, {"itemId": item_id, **BATCH, "batchNumber": "B-3", "exactQuantity": "0.001"}]
    refused = actors.http.post(path, headers=headers, json={"items": more}).json()["error"]
    assert [detail["field"] for detail in refused["details"]] == ["items[2].quantity"]
    assert actors.http.post(path, headers=headers, json={"items": both}).json()["data"]["totalAmount"] == "0.83"
    receipt = actors.http.get(f"/pharmacy/dispensing-summary/{written['id']}", headers=headers).json()["data"]
    shown = [(line["batchNumber"], line["expiryDate"], line["productCode"]) for line in receipt["lines"]]
    assert shown == [("B-1", "2099-01-31", "04012345678901"), ("B-2", "2099-12-31", "")]


@pytest.mark.parametrize("expiry", ["13/2099", "00/2099", "2099-02-30", "01/99", "2099", "01/2020"])
def test_expiry_that_does_not_exist_or_has_passed_is_refused(
    actors: Actors, patient: Actor, pharmacist: Actor, expiry: str
) -> None:
    written = prescribe(actors, patient, quantity=1).json()["data"]["prescription"]
    refused = dispense(actors, pharmacist, written, quantity=1, expiryDate=expiry)
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (400, "items[0].expiryDate")
