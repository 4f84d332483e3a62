"""A patient's story in which every field has a unique text, so that an answer shows which fields it came from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email

PERSON: Final[Mapping[str, Any]] = {
    "fullName": "Canaria Birdsong",
    "phone": "+49 30 5550101",
    "dateOfBirth": "1971-03-04",
    "gender": "female",
    "bloodType": "AB-",
    "address": "7 Canary Lane",
    "emergencyContact": "Emer Gencycanary",
    "emergencyPhone": "+49 30 5550102",
    "insuranceProvider": "Insurecanary",
    "insuranceNumber": "INS-CANARY",
    "allergies": ["Allergycanary"],
    "existingConditions": ["Conditioncanary"],
}
VISIT: Final[Mapping[str, Any]] = {
    "visitDate": "2026-02-03",
    "visitType": "emergency",
    "chiefComplaint": "Complaintcanary",
    "symptoms": "Symptomcanary",
    "diagnosis": "Visitdiagnosiscanary",
    "treatmentNotes": "Treatmentcanary",
    "recommendations": "Recommendationcanary",
    "hospitalName": "Hospitalcanary",
}
MEDICINE: Final[Mapping[str, Any]] = {
    "medicineName": "Medicinecanary",
    "dosage": "Dosagecanary",
    "frequency": "Frequencycanary",
    "quantity": 10,
    "instructions": "Instructioncanary",
    "route": "Routecanary",
}
PRESCRIPTION: Final[Mapping[str, Any]] = {
    "diagnosis": "Diagnosiscanary",
    "doctorNotes": "Doctornotecanary",
    "items": [MEDICINE],
}
LINE: Final[Mapping[str, Any]] = {
    "quantity": 4,
    "unitPrice": "73.37",
    "batchNumber": "Batchcanary",
    "expiryDate": "2099-11-30",
}
PHARMACY_NOTE: Final = "Pharmacynotecanary"

PII_MARKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": (PERSON["fullName"],),
    "birth": (PERSON["dateOfBirth"],),
    "phone": (PERSON["phone"],),
    "address": (PERSON["address"],),
    "emergency": (PERSON["emergencyContact"], PERSON["emergencyPhone"]),
    "insurance": (PERSON["insuranceProvider"], PERSON["insuranceNumber"]),
    "blood": (PERSON["bloodType"],),
    "allergies": tuple(PERSON["allergies"]),
    "conditions": tuple(PERSON["existingConditions"]),
    "visit": tuple(text for field, text in VISIT.items() if field != "visitType"),
    "diagnosis": (PRESCRIPTION["diagnosis"],),
    "doctor's notes": (PRESCRIPTION["doctorNotes"],),
    "medicine": (MEDICINE["medicineName"],),
    "dosage": tuple(MEDICINE[field] for field in ("dosage", "frequency", "instructions", "route")),
    "price": (LINE["unitPrice"],),
    "batch": (LINE["batchNumber"],),
    "pharmacy's notes": (PHARMACY_NOTE,),
}
"""The texts of each field, by the words of the table; `mail` and `QR text` are added when the story is played."""


@dataclass(frozen=True, slots=True)
class Story:
    """The actors, the created objects, and the texts that stand for each field."""

    people: Mapping[str, Actor]
    patient_id: str
    prescription_id: str
    number: str
    reference: str
    qr_text: str
    canaries: Mapping[str, tuple[str, ...]]

    def seen_in(self, answer: Any) -> set[str]:
        """Returns the fields of which an answer (JSON) shows any text."""
        leaves = list(texts(answer))
        return {
            field for field, marks in self.canaries.items() if any(mark in leaf for mark in marks for leaf in leaves)
        }


def texts(value: Any) -> Iterator[str]:
    """Returns every text in a JSON value, at any depth; numbers too, as texts."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def names(value: Any) -> Iterator[str]:
    """Returns every member name in a JSON value, at any depth."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)


def play(actors: Actors) -> Story:
    """Lets a doctor record the patient, a visit and a prescription, a pharmacist dispense a part, others look on."""
    people = {
        "PX": actors.new_patient("Per Stranger"),
        "DO": actors.new_doctor(),
        "DX": actors.new_doctor(),
        "HC": actors.new_pharmacist(),
        "HX": actors.new_pharmacist(),
        "A": actors.admin,
    }
    people["PO"] = _registered(actors)
    patient_id = people["PO"].patient_id
    _data(actors, "PUT", f"/doctors/patients/{patient_id}", people["DO"], PERSON)
    _data(actors, "POST", "/doctors/medical-visits", people["DO"], {"patientId": patient_id, **VISIT})
    made = _data(actors, "POST", "/doctors/prescriptions", people["DO"], {"patientId": patient_id, **PRESCRIPTION})
    prescription = made["prescription"]
    qr_text = actors.qr_text(prescription["id"], people["DO"])
    _hand_out(actors, people["HC"], prescription, qr_text)
    patient = _data(actors, "GET", f"/doctors/patients/{patient_id}", people["DO"])["patient"]
    return Story(
        people=people,
        patient_id=patient_id,
        prescription_id=prescription["id"],
        number=prescription["prescriptionNumber"],
        reference=patient["referenceNumber"],
        qr_text=qr_text,
        canaries={**PII_MARKERS, "mail": (people["PO"].email,), "QR text": (qr_text,)},
    )


def _registered(actors: Actors) -> Actor:
    body = {"email": new_email(), "password": PASSWORD, "fullName": PERSON["fullName"]}
    answer = _data(actors, "POST", "/auth/register", None, body)
    return Actor(answer["user"]["id"], body["email"], answer["accessToken"], answer["patient"]["id"])


def _hand_out(actors: Actors, pharmacist: Actor, prescription: Mapping[str, Any], qr_text: str) -> None:
    _data(actors, "POST", "/pharmacy/scan", pharmacist, {"qrCode": qr_text})
    _data(actors, "POST", f"/pharmacy/validate/{prescription['id']}", pharmacist, {"notes": PHARMACY_NOTE})
    lines = [{"itemId": prescription["items"][0]["id"], **LINE}]
    body = {"items": lines, "notes": PHARMACY_NOTE}
    _data(actors, "POST", f"/pharmacy/dispense/{prescription['id']}", pharmacist, body)


def _data(actors: Actors, method: str, path: str, actor: Actor | None, body: Any = None) -> dict[str, Any]:
    status, answer = actors.rest(method, path, actor, body)
    assert status < 300, answer
    data: dict[str, Any] = answer["data"]
    return data
