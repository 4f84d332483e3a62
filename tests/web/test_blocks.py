"""Texts of several lines keep their lines and indents on every page that shows them, and in print."""

from itertools import product
from typing import Any, Final, Literal

import pytest
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.options.v1 import access_pb2
from playwright.sync_api import Page, expect

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.browser import Window
from tests.rpc.methods import RPCS
from tests.web.conftest import Windows

FIELDS: Final = frozenset(
    {
        "NewPrescriptionItem.instructions",
        "CreatePrescriptionRequest.doctor_notes",
        "CancelPrescriptionRequest.reason",
        "RejectPrescriptionRequest.reason",
        "ClosePrescriptionRequest.reason",
        "ValidatePrescriptionRequest.notes",
        "DispensePrescriptionRequest.notes",
        "DispenseLine.substitution_reason",
        "CreateMedicalVisitRequest.symptoms",
        "CreateMedicalVisitRequest.diagnosis",
        "CreateMedicalVisitRequest.treatment_notes",
        "CreateMedicalVisitRequest.recommendations",
    }
)
"""Every field of several lines."""


def block(name: str) -> str:
    """Returns a text of several lines that names its field."""
    return f"  {name}: 1 tablet\n2 tablets from week 2\n\n    after meals"


@pytest.fixture(scope="module")
def people(actors: Actors) -> dict[str, Actor]:
    return {"patient": actors.new_patient(), "doctor": actors.new_doctor(), "pharmacist": actors.new_pharmacist()}


@pytest.fixture(scope="module")
def ids(actors: Actors, people: dict[str, Actor]) -> dict[str, str]:
    """Returns the ids of a visit and of an open, a cancelled and a rejected prescription, each with every text."""
    patient, doctor, pharmacist = people["patient"].patient_id, people["doctor"], people["pharmacist"]
    texts = {name: block(name) for name in ("symptoms", "diagnosis", "treatmentNotes", "recommendations")}
    visit = {"patientId": patient, "visitDate": "2026-01-05", "visitType": "consultation", "chiefComplaint": "Cough"}
    assert actors.rest("POST", "/doctors/medical-visits", doctor, visit | texts)[0] == 201
    written = {name: prescribed(actors, doctor, patient) for name in ("open", "cancelled", "rejected")}
    cancel = f"/doctors/prescriptions/{written['cancelled'].id}/cancel"
    assert actors.rest("POST", cancel, doctor, {"reason": block("reason")})[0] == 200
    for name in ("open", "rejected"):
        number = {"referenceNumber": written[name].prescription_number}
        assert actors.rest("POST", "/pharmacy/lookup", pharmacist, number)[0] == 200
    for action, text in (("validate", "notes"), ("reject", "reason")):
        path = f"/pharmacy/{action}/{written['rejected'].id}"
        assert actors.rest("POST", path, pharmacist, {text: block(text)})[0] == 200
    numbers = {f"{name}_number": one.prescription_number for name, one in written.items()}
    return {"patient": patient, **{name: one.id for name, one in written.items()}, **numbers}


def prescribed(actors: Actors, doctor: Actor, patient_id: str) -> Any:
    item = clinical.NewPrescriptionItem(
        medicine_name="Amoxicillin", dosage="1", frequency="daily", quantity=3, instructions=block("instructions")
    )
    request = clinical.CreatePrescriptionRequest(
        patient_id=patient_id, diagnosis="Cough", doctor_notes=block("doctorNotes"), items=[item]
    )
    return actors.clinical.CreatePrescription(request, metadata=doctor.metadata).prescription


def test_every_field_of_several_lines_is_known_here() -> None:
    found: set[str] = set()
    types = {rpc.descriptor.input_type for rpc in RPCS.values()}
    while types:
        message = types.pop()
        for field in message.fields:
            if field.message_type is not None:
                types.add(field.message_type)
            elif field.GetOptions().Extensions[access_pb2.text] == access_pb2.TEXT_BLOCK:
                found.add(f"{message.name}.{field.name}")
    assert found == FIELDS


PLACES: Final = {
    "doctor": {
        "/prescriptions/{open}": ("instructions", "doctorNotes"),
        "/prescriptions/{cancelled}": ("instructions", "reason"),
        "/prescriptions/{rejected}": ("reason",),
        "/visits": ("symptoms", "diagnosis", "treatmentNotes", "recommendations"),
        "/patients/{patient}": ("symptoms", "diagnosis", "treatmentNotes", "recommendations"),
        "/patients/{patient}/history": ("symptoms", "recommendations", "instructions", "reason"),
    },
    "patient": {
        "/prescriptions/{open}": ("instructions",),
        "/prescriptions/{cancelled}": ("instructions", "reason"),
    },
    "pharmacist": {
        "/counter/{open_number}": ("instructions",),
        "/dispensed/{rejected}": ("notes", "reason"),
        "/dispensed": ("notes", "reason"),
    },
}
MEDIA: Final[tuple[Literal["screen", "print"], ...]] = ("screen", "print")


@pytest.mark.parametrize("role", PLACES)
def test_a_text_keeps_its_lines_and_indents(
    windows: Windows, people: dict[str, Actor], ids: dict[str, str], role: str, subtests: pytest.Subtests
) -> None:
    window = windows().sign_in(people[role])
    for media, (address, texts) in product(MEDIA, PLACES[role].items()):
        with subtests.test(f"{address} in {media}"):
            window.page.emulate_media(media="screen")
            page = window.go(address.format(**ids)).page
            expect(page.locator(".block").first).to_be_attached()
            page.emulate_media(media=media)
            for summary in page.locator("summary").all():
                summary.click()
            for name in texts:
                if not (name == "doctorNotes" and media == "print"):
                    assert block(name) in shown(page, name)


def shown(page: Page, name: str) -> list[str]:
    return page.locator(".block", has_text=f"{name}: 1 tablet").all_inner_texts()


def test_a_form_keeps_the_indent_of_the_first_line(windows: Windows, actors: Actors, people: dict[str, Actor]) -> None:
    patient = people["patient"]
    window: Window = windows().sign_in(people["doctor"]).go(f"/patients/{patient.patient_id}/visit")
    window.page.locator("[name=chiefComplaint]").fill("Cough")
    window.page.locator("[name=recommendations]").fill("\n  first\n    second\n ")
    window.page.get_by_role("button", name="Save visit").click()
    expect(window.page.get_by_text("The visit was saved.").first).to_be_visible()
    assert window.page.locator(".block").all_inner_texts() == ["  first\n    second"]
