"""A pharmacy gives another product with a reason, unless the doctor forbids it; receipt and history show it."""

from typing import Any

import pytest

from tests.fixtures.actors import Actor, Actors

BATCH = {"quantity": 2, "unitPrice": "1.00", "batchNumber": "B-1", "expiryDate": "2099-12-31"}
NAME = "dispensedMedicineName"
REASON = "substitutionReason"
OTHER = {NAME: "Generic 500", REASON: "Not in stock."}


@pytest.fixture(scope="module")
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@pytest.fixture(scope="module")
def pharmacist(actors: Actors) -> Actor:
    return actors.new_pharmacist()


def prescribe(actors: Actors, patient: Actor, **item: Any) -> Any:
    """Creates a prescription of one medicine over REST."""
    medicine = {"medicineName": "Amoxil Forte", "dosage": "500 mg", "frequency": "daily", "quantity": 10, **item}
    body = {"patientId": patient.patient_id, "diagnosis": "Fever", "items": [medicine]}
    answer = actors.http.post("/doctors/prescriptions", headers=actors.doctor.headers, json=body)
    return answer.json()["data"]["prescription"]


def dispense(actors: Actors, pharmacist: Actor, written: Any, **line: Any) -> Any:
    """Dispenses one line of a claimed prescription over REST."""
    body = {"items": [{"itemId": written["items"][0]["id"], **BATCH, **line}]}
    return actors.http.post(f"/pharmacy/dispense/{written['id']}", headers=pharmacist.headers, json=body).json()


def given(lines: Any) -> list[tuple[str, str, str]]:
    return [(line["medicineName"], line[NAME], line[REASON]) for line in lines]


def test_substitute_is_shown_on_receipt_and_history(actors: Actors, patient: Actor, pharmacist: Actor) -> None:
    written = prescribe(actors, patient, substitutionAllowed=True)
    assert "substitutionAllowed" not in written["items"][0]
    for line in (OTHER, {NAME: "  AMOXIL  forte "}):
        actors.claim(written["id"], pharmacist)
        assert "data" in dispense(actors, pharmacist, written, **line)
    shown = [("Amoxil Forte", *OTHER.values()), ("Amoxil Forte", "", "")]
    for reader in (pharmacist, patient):
        receipt = actors.http.get(f"/pharmacy/dispensing-summary/{written['id']}", headers=reader.headers).json()[
            "data"
        ]
        assert given(receipt["lines"]) == shown
    history = actors.http.get("/pharmacy/history?action=dispense&pageSize=2", headers=pharmacist.headers)
    entries = history.json()["data"]["entries"]
    assert given(line for entry in reversed(entries) for line in entry["lines"]) == shown


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({NAME: "Generic 500"}, REASON),
        ({REASON: "Not in stock."}, NAME),
        ({NAME: "amoxil forte", REASON: "Not in stock."}, NAME),
        ({NAME: "", REASON: "Not in stock."}, NAME),
        ({NAME: "G", REASON: "Not in stock."}, NAME),
        ({NAME: "G" * 256, REASON: "Not in stock."}, NAME),
        ({NAME: "Generic 500", REASON: "no"}, REASON),
        ({NAME: "Generic 500", REASON: "n" * 501}, REASON),
    ],
)
def test_half_a_substitution_is_refused_by_name(
    actors: Actors, patient: Actor, pharmacist: Actor, line: Any, field: str
) -> None:
    written = prescribe(actors, patient)
    actors.claim(written["id"], pharmacist)
    error = dispense(actors, pharmacist, written, **line)["error"]
    assert (error["type"], [detail["field"] for detail in error["details"]]) == (
        "VALIDATION_FAILED",
        [f"items[0].{field}"],
    )


def test_substitute_that_the_doctor_forbids_is_refused(actors: Actors, patient: Actor, pharmacist: Actor) -> None:
    written = prescribe(actors, patient, substitutionAllowed=False)
    assert written["items"][0]["substitutionAllowed"] is False
    actors.claim(written["id"], pharmacist)
    (detail,) = dispense(actors, pharmacist, written, **OTHER)["error"]["details"]
    assert detail["field"] == f"items[0].{NAME}"
    assert "the doctor allows no substitute for Amoxil Forte" in detail["message"]
    seen = dispense(actors, pharmacist, written)["data"]["prescription"]["items"][0]
    assert (seen["substitutionAllowed"], seen["remainingQuantity"]) == (False, 8)
