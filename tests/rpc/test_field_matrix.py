"""The fields that each role sees: every answer is searched for texts that are unique to one field."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.fixtures.actors import Actors
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.rpc.pii_markers import PII_MARKERS, Story, names, play, texts

IDENTITY = {"name", "birth"}
CONTACT = {"mail", "phone", "address", "emergency", "insurance"}
RECORD = IDENTITY | CONTACT | {"blood", "allergies"}
ITEMS = {"medicine", "dosage"}
FOR_PHARMACIST = IDENTITY | {"insurance", "allergies", "diagnosis"} | ITEMS
HISTORY = {"name", "visit", "diagnosis"} | ITEMS
RECEIPT = {"name", "medicine", "price", "batch"}
EVERYTHING = {*PII_MARKERS, "mail", "QR text"}

SEEN: Mapping[tuple[str, str], set[str]] = {
    # the patient
    ("PO", "/auth/profile"): {"name", "mail", "phone"},
    ("PO", "/patients/profile"): RECORD,
    ("PO", "/patients/prescriptions"): {"diagnosis"} | ITEMS,
    ("PO", "/patients/medical-history"): HISTORY | {"conditions"},
    ("PO", "/qr-codes/{prescription}"): {"QR text"},
    ("PO", "/pharmacy/dispensing-summary/{prescription}"): RECEIPT,
    ("PO", "/patients/access-log"): {"name"},
    # another patient
    ("PX", "/auth/profile"): set(),
    ("PX", "/patients/profile"): set(),
    ("PX", "/patients/prescriptions"): set(),
    ("PX", "/patients/medical-history"): set(),
    ("PX", "/patients/access-log"): set(),
    # the doctor
    ("DO", "/doctors/patients?search={reference}"): IDENTITY,
    ("DO", "/doctors/patients/{patient}"): RECORD | {"conditions"},
    ("DO", "/doctors/patients/{patient}/medical-history"): HISTORY | {"doctor's notes"},
    ("DO", "/doctors/prescriptions"): {"name", "diagnosis", "doctor's notes"} | ITEMS,
    ("DO", "/doctors/prescriptions/{prescription}"): {"name", "diagnosis", "doctor's notes"} | ITEMS,
    ("DO", "/doctors/medical-visits"): {"name", "visit"},
    ("DO", "/qr-codes/{prescription}"): {"QR text"},
    # another doctor
    ("DX", "/doctors/patients?search={reference}"): IDENTITY,
    ("DX", "/doctors/patients/{patient}"): RECORD | {"conditions"},
    ("DX", "/doctors/patients/{patient}/medical-history"): HISTORY,
    ("DX", "/doctors/prescriptions"): set(),
    ("DX", "/doctors/medical-visits"): set(),
    # the pharmacist who dispensed
    ("HC", "/pharmacy/lookup {number}"): FOR_PHARMACIST,
    ("HC", "/pharmacy/lookup {reference}"): FOR_PHARMACIST,
    ("HC", "/pharmacy/scan {qr}"): FOR_PHARMACIST,
    ("HC", "/pharmacy/validate/{prescription}"): FOR_PHARMACIST,
    ("HC", "/pharmacy/release/{prescription}"): FOR_PHARMACIST,
    ("HC", "/pharmacy/history"): RECEIPT | {"pharmacy's notes"},
    ("HC", "/pharmacy/logs/{prescription}"): {"pharmacy's notes"},
    ("HC", "/pharmacy/dispensing-summary/{prescription}"): RECEIPT,
    # a pharmacist who never saw the prescription
    ("HX", "/pharmacy/history"): set(),
    # an admin
    ("A", "/auth/profile"): set(),
    ("A", "/users?search={mail}"): {"name", "mail", "phone"},
    ("A", "/users/{user}"): {"name", "mail", "phone"},
    ("A", "/audit?patientId={patient}"): {"name"},
    ("A", "/events/emails"): set(),
    ("A", "/events/email-queue/status"): set(),
}
"""The fields of the patient's story in each actor's answers; a path followed by a text is a call with that body."""

NEVER: Mapping[str, set[str]] = {
    "PO": {"doctor's notes", "pharmacy's notes"},
    "PX": EVERYTHING,
    "DO": {"price", "batch", "pharmacy's notes"},
    "DX": EVERYTHING - RECORD - HISTORY - {"conditions"},
    "HC": {"mail", "phone", "address", "emergency", "blood", "conditions", "visit", "doctor's notes", "QR text"},
    "HX": EVERYTHING,
    "A": EVERYTHING - {"name", "mail", "phone"},
}
"""The fields that no answer may show: the security design's table."""

FORBIDDEN_NAMES = {"password", "hash", "otp", "token", "secret", "jti", "kid", "nonce", "key", "sid", "fence"}
PERMITTED_NAMES = {"qrHash", "nextPageToken"}


@pytest.fixture(scope="module")
def story(actors: Actors) -> Story:
    return play(actors)


@pytest.fixture(scope="module")
def answers(actors: Actors, story: Story) -> Mapping[tuple[str, str], Any]:
    for who in ("PO", "PX"):
        actors.open_history(story.people[who])
    return {view: answer(actors, story, *view) for view in SEEN}


def test_the_table_asks_for_nothing_that_is_never_shown() -> None:
    assert {who for who, _ in SEEN} == NEVER.keys()
    assert not [view for view, seen in SEEN.items() if seen & NEVER[view[0]]]


@control("S35")
@cells(("who", "view"), SEEN)
def test_an_answer_shows_these_fields_and_no_others(
    story: Story, answers: Mapping[tuple[str, str], Any], who: str, view: str
) -> None:
    assert story.seen_in(answers[who, view]) == SEEN[who, view]


@control("S35")
@cells(("who", "view"), SEEN)
def test_no_answer_holds_anything_that_opens_something(
    answers: Mapping[tuple[str, str], Any], who: str, view: str
) -> None:
    found = set(names(answers[who, view])) - PERMITTED_NAMES
    assert found
    assert not [name for name in found for word in FORBIDDEN_NAMES if word in name.lower()]
    assert not [text for text in texts(answers[who, view]) if "$argon2" in text or text.startswith("ey")]


@pytest.mark.parametrize("who", ["PX", "DX", "HC", "HX", "A"])
def test_a_refusal_shows_nothing_of_what_it_refuses(actors: Actors, story: Story, who: str) -> None:
    refused = 0
    for view in {view for _, view in SEEN if not is_act(view)}:
        status, told = call(actors, story, who, view)
        if status >= 400:
            assert story.seen_in(told) == set()
            refused += 1
    assert refused > 5


def answer(actors: Actors, story: Story, who: str, view: str) -> Any:
    """Returns the whole body of the answer to the actor, which must be a success."""
    status, told = call(actors, story, who, view)
    assert status == 200, told
    return told["data"]


def is_act(view: str) -> bool:
    """Returns whether the call changes the story, or adds it to the caller's own history."""
    return view.startswith(("/pharmacy/scan", "/pharmacy/lookup", "/pharmacy/validate", "/pharmacy/release"))


def call(actors: Actors, story: Story, who: str, view: str) -> tuple[int, dict[str, Any]]:
    """Gets the path, or posts to it if it is a pharmacy's act."""
    path, _, body = view.format(
        prescription=story.prescription_id,
        patient=story.patient_id,
        reference=story.reference,
        number=story.number,
        mail=story.people["PO"].email,
        user=story.people["PO"].user_id,
        qr=story.qr_text,
    ).partition(" ")
    if is_act(view):
        field = "qrCode" if "scan" in path else "referenceNumber"
        return actors.rest("POST", path, story.people[who], {field: body} if body else {})
    return actors.rest("GET", path, story.people[who])
