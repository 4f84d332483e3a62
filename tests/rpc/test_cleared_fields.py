"""An empty list and null clear fields of a record over REST, as `clear` does on every interface."""

import json
from typing import Any, Final

import pytest

from tests.fixtures.actors import Actors
from tests.fixtures.cells import cells

FULL: Final = {
    "fullName": "Clara Cleared", "dateOfBirth": "1980-05-17", "gender": "female", "phone": "0341 5550123",
    "address": "Here 1", "insuranceProvider": "Best", "allergies": ["Nuts"], "existingConditions": ["Asthma"],
}  # fmt: skip
CLEARING: Final[tuple[tuple[str, dict[str, Any], set[str]], ...]] = (
    ("an empty list", {"allergies": []}, {"allergies"}),
    ("null for a list", {"allergies": None}, {"allergies"}),
    ("null for a text", {"phone": None, "insuranceProvider": None}, {"phone", "insuranceProvider"}),
    (
        "the name of the proto",
        {"existing_conditions": [], "insurance_provider": None},
        {"existingConditions", "insuranceProvider"},
    ),
    ("both ways", {"allergies": [], "clear": ["allergies"]}, {"allergies"}),
    ("beside others", {"allergies": [], "clear": ["phone"]}, {"allergies", "phone"}),
    ("an empty clear", {"clear": [], "allergies": []}, {"allergies"}),
    ("no clear", {"clear": None, "allergies": [], "address": "There 2"}, {"allergies"}),
    ("what cannot be cleared", {"fullName": None, "gender": None, "dateOfBirth": None, "allergies": []}, {"allergies"}),
    ("nothing", {"clear": []}, set()),
    ("blanks inside", {"allergies": "BLANKS"}, {"allergies"}),
)


@cells(("what", "change", "cleared"), CLEARING, ids=[row[0] for row in CLEARING])
def test_empty_values_clear_over_rest(actors: Actors, what: str, change: dict[str, Any], cleared: set[str]) -> None:
    _, created = actors.rest("POST", "/doctors/patients", actors.doctor, FULL)
    before = created["data"]["patient"]
    path = f"/doctors/patients/{before['id']}"
    raw = json.dumps({**change, "version": before["version"]}, indent=1).replace('"BLANKS"', "[ \n\t]")
    headers = {**actors.doctor.headers, "content-type": "application/json"}
    answer = actors.http.put(path, headers=headers, content=raw)
    assert answer.status_code == 200, answer.text
    after = answer.json()["data"]["patient"]
    emptied = {name for name in FULL if before[name] and not after[name]}
    assert emptied == cleared
    assert {name for name in FULL if after[name] != before[name]} == cleared | (change.keys() & {"address"})


def test_clearing_an_allergy_still_needs_the_version(actors: Actors) -> None:
    _, created = actors.rest("POST", "/doctors/patients", actors.doctor, FULL)
    path = f"/doctors/patients/{created['data']['patient']['id']}"
    status, answer = actors.rest("PUT", path, actors.doctor, {"allergies": []})
    assert (status, answer["error"]["details"][0]["field"]) == (400, "version")


@pytest.mark.parametrize("empty", [[], None])
def test_patients_clear_their_own_allergies(actors: Actors, empty: Any) -> None:
    patient = actors.new_patient()
    _, read = actors.rest("GET", "/patients/profile", patient)
    change = {"allergies": ["Nuts"], "version": read["data"]["patient"]["version"]}
    _, given = actors.rest("PUT", "/patients/profile", patient, change)
    version = given["data"]["patient"]["version"]
    status, answer = actors.rest("PUT", "/patients/profile", patient, {"allergies": empty, "version": version})
    assert (status, answer["data"]["patient"]["allergies"]) == (200, [])
