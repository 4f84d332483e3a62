"""Every page of every role, on phone and desktop, in light and dark: accessible and without errors."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.accessibility import flaws
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.browser import Window
from tests.web.conftest import Windows

ROOT: Final = Path(__file__).parents[2]
ROUTE: Final = re.compile(r'path: "(?P<path>[^"]+)".*module: "(?P<module>\w+)/')
EVERYBODY: Final = ("/sign-in", "/register", "/set-password", f"/undo-email-change/{'k' * 43}")
ADDRESSES: Final = {
    "patient": ("/prescriptions", "/prescriptions/{open}", "/history", "/access-log", "/profile", "/account"),
    "doctor": (
        *(
            "/patients",
            "/patients/new",
            "/patients/{patient}",
            "/patients/{patient}/edit",
            "/patients/{patient}/email",
            "/patients/{patient}/history",
            "/patients/{patient}/versions",
        ),
        *("/patients/{patient}/visit", "/patients/{patient}/prescribe"),
        *("/prescriptions", "/prescriptions/{open}", "/visits", "/account"),
    ),
    "pharmacist": (
        *(
            "/counter",
            "/counter/{reference}",
            "/counter/{number}",
            "/dispensed",
            "/dispensed/{done}",
            "/receipt/{done}",
        ),
        *("/account", "/members/{pharmacy}"),
    ),
    "admin": (
        *("/accounts", "/accounts/new", "/accounts/{user}/sessions", "/organisations", "/organisations/{pharmacy}"),
        *("/emails", "/audit", "/limits", "/account"),
    ),
}


@pytest.fixture(scope="module")
def people(actors: Actors) -> dict[str, Actor]:
    """Returns an account of each role, with data to see for each."""
    return {
        "patient": actors.new_patient("Clara Müller"),
        "doctor": actors.doctor,
        "pharmacist": actors.new_pharmacist(),
        "admin": actors.new_admin(),
    }


@pytest.fixture(scope="module")
def places(actors: Actors, people: dict[str, Actor]) -> dict[str, str]:
    """Returns the ids in the addresses: an open claimed prescription, a dispensed one, and their patient."""
    patient, pharmacist, doctor = people["patient"], people["pharmacist"], people["doctor"]
    claimed, done = (actors.prescribe(patient.patient_id, 10, 20) for _ in range(2))
    for written in (claimed, done):
        actors.claim(written.id, pharmacist)
    lines = [
        {"itemId": item.id, "quantity": 5, "unitPrice": "1.50", "batchNumber": "B-77", "expiryDate": "2099-01-31"}
        for item in done.items
    ]
    assert actors.rest("POST", f"/pharmacy/dispense/{done.id}", pharmacist, {"items": lines})[0] == 200
    visit = {
        "patientId": patient.patient_id,
        "visitDate": "2026-01-31",
        "visitType": "consultation",
        "chiefComplaint": "Cough",
    }
    assert actors.rest("POST", "/doctors/medical-visits", doctor, visit)[0] == 201
    record = f"/doctors/patients/{patient.patient_id}"
    for allergies in (["Penicillin"], ["Penicillin", "Latex"]):
        assert actors.rest("PUT", record, doctor, {"allergies": allergies, "bloodType": "A+"})[0] == 200
    _, profile = actors.rest("GET", "/patients/profile", patient)
    actors.failed_mail()
    pharmacy = actors.organisation_of(pharmacist)
    actors.make_administrator(pharmacist, pharmacy)
    return {
        "pharmacy": pharmacy,
        "open": claimed.id,
        "number": claimed.prescription_number,
        "done": done.id,
        "patient": patient.patient_id,
        "user": patient.user_id,
        "reference": profile["data"]["patient"]["referenceNumber"],
    }


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    folder: Path | None = request.config.getoption("--screenshots", None)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


QUEUE_IS_LATE = "Emails are delayed"
"""The alert about the queue of the shared instance, in which other tests let emails fail."""


def look(window: Window, role: str, addresses: tuple[str, ...], places: dict[str, str], folder: Path | None) -> None:
    found: list[str] = []
    for address in addresses:
        page = window.move(address.format(**places)).page
        alerts = [text for text in page.get_by_role("alert").all_inner_texts() if not text.startswith(QUEUE_IS_LATE)]
        assert alerts == []
        found += flaws(page, re.sub(r"\W+", "-", f"{role}{address}").strip("-"), folder)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("role", ADDRESSES)
def test_every_page_of_a_role_is_for_everybody(
    windows: Windows, people: dict[str, Actor], places: dict[str, str], role: str, screenshots: Path | None
) -> None:
    look(windows().sign_in(people[role]), role, ADDRESSES[role], places, screenshots)


def test_the_pages_of_strangers_are_for_everybody(windows: Windows, screenshots: Path | None) -> None:
    look(windows().go("/sign-in"), "stranger", EVERYBODY, {}, screenshots)


def test_what_keeps_people_out_is_found(windows: Windows) -> None:
    page = windows().go("/sign-in").page
    page.evaluate("""document.querySelector("label").remove();
      document.querySelector("main").style.width = "1200px";
      document.querySelector("h1").style.color = "#777";
      document.querySelector("h1").style.background = "#888";""")
    found = "\n".join(flaws(page, "broken"))
    for said in ("broken, phone: the page scrolls sideways", "phone, light: label", "desk, dark: color-contrast"):
        assert said in found


def test_no_page_is_left_out() -> None:
    routes = (ROOT / "clients/web/js/routes.js").read_text()
    found = [(found["module"], re.sub(r":\w+", "[^/]+", found["path"])) for found in ROUTE.finditer(routes)]
    assert len(found) == routes.count("path: ")
    missing = [
        (role, path)
        for role, path in found
        if not any(re.fullmatch(path, address) for address in (*ADDRESSES.get(role, ADDRESSES["patient"]), *EVERYBODY))
    ]
    assert not missing
