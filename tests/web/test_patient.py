"""A patient's tasks in a real browser: registration, a prescription's code, the record, the history, its readers."""

import io

import pytest
import zxingcpp
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from PIL import Image
from playwright.sync_api import Page, expect

from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.browser import PHONE, Window
from tests.fixtures.sender import Sender
from tests.web.conftest import Windows


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient("Clara Müller")


@pytest.fixture
def phone(windows: Windows) -> Window:
    width, height = PHONE
    return windows(viewport={"width": width, "height": height}, has_touch=True)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()


def test_registration_by_keyboard_shows_errors_at_the_fields(phone: Window) -> None:
    page = phone.page
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Full name").fill("Clara Müller")
    page.get_by_label("Email").fill("clara")
    page.get_by_label("Password").fill("password")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Email")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Email")).to_be_focused()
    page.get_by_label("Email").fill(new_email())
    page.keyboard.press("Enter")
    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Email")).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your prescriptions")
    expect(page.get_by_text("There are no prescriptions here.")).to_be_visible()


def test_her_code_fills_the_screen_and_can_be_scanned_from_it(phone: Window, actors: Actors, patient: Actor) -> None:
    written = actors.prescribe(patient.patient_id, 10)
    page = phone.sign_in(patient).page
    page.get_by_role("link", name=written.prescription_number).click()
    page.get_by_role("button", name="Full screen").click()
    screen = page.get_by_role("dialog", name="QR code")
    expect(screen.get_by_role("img")).to_be_visible()
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.screenshot())))
    assert found.text == actors.qr_text(written.id)
    page.keyboard.press("Escape")
    expect(screen).to_have_count(0)
    expect(page.get_by_role("button", name="Full screen")).to_be_focused()


def test_rows_of_medicines_stack_on_a_phone(phone: Window, actors: Actors, patient: Actor) -> None:
    written = actors.prescribe(patient.patient_id, 10)
    page = phone.sign_in(patient).go(f"/prescriptions/{written.id}").page
    dose = page.get_by_role("table", name="Medicines").get_by_role("cell", name="daily").bounding_box()
    assert dose is not None
    assert dose["width"] >= 200


def test_a_new_code_ends_the_old_one_after_a_question(windows: Windows, actors: Actors, patient: Actor) -> None:
    written = actors.prescribe(patient.patient_id, 10)
    old = actors.qr_text(written.id)
    page = windows().sign_in(patient).go(f"/prescriptions/{written.id}").page
    page.get_by_role("button", name="Issue new code").click()
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    assert actors.qr_text(written.id) == old
    page.get_by_role("button", name="Issue new code").click()
    page.get_by_role("dialog").get_by_role("button", name="Issue new code").click()
    expect(page.get_by_text("This is the new code.").first).to_be_visible()
    assert actors.qr_text(written.id) != old


def test_her_record_is_changed_emptied_and_never_overwritten(windows: Windows, patient: Actor) -> None:
    window = windows().sign_in(patient).go("/profile")
    page, other = window.page, window.tab()
    other.goto("/#/profile")
    other.get_by_label("Allergies").fill("")
    page.get_by_label("Allergies").fill("Penicillin\nLatex")
    page.get_by_label("Phone (optional)", exact=True).fill("+1 555 010 0199")
    save(page)
    expect(page.get_by_text("Allergies: Penicillin, Latex")).to_be_visible()
    expect(page.get_by_text("Your record was saved.").first).to_be_visible()
    save(other)
    expect(other.get_by_text("The record has been changed since you read it.")).to_be_visible()
    page.get_by_label("Allergies").fill("")
    save(page)
    expect(page.get_by_text("Allergies not recorded.")).to_be_visible()


def test_history_opens_by_emailed_code_and_survives_reload(
    windows: Windows, actors: Actors, patient: Actor, sender: Sender
) -> None:
    written = actors.prescribe(patient.patient_id, 10)
    known = clinical.UpdatePatientRequest(patient_id=patient.patient_id, existing_conditions=["Asthma", "Migraine"])
    actors.clinical.UpdatePatient(known, metadata=actors.doctor.metadata)
    page = windows().sign_in(patient).go("/history").page
    page.get_by_role("button", name="Email me a code").click()
    code = page.get_by_label("Code from the email")
    code.fill("000000")
    page.get_by_role("button", name="Open history").click()
    expect(code).to_have_attribute("aria-invalid", "true")
    code.fill(sender.code(patient.email, "code"))
    page.get_by_role("button", name="Open history").click()
    expect(page.get_by_role("link", name=written.prescription_number)).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name=written.prescription_number)).to_be_visible()
    expect(page.get_by_text("Existing conditions: Asthma, Migraine")).to_be_visible()


def test_she_sees_who_saw_her_record(windows: Windows, actors: Actors, patient: Actor) -> None:
    written = actors.prescribe(patient.patient_id, 10)
    actors.claim(written.id, actors.pharmacist)
    page = windows().sign_in(patient).go("/access-log").page
    entry = page.get_by_role("listitem").filter(has_text="Prescription scanned")
    expect(entry).to_contain_text("Sam Staff")
    expect(entry).to_contain_text("pharmacist, Corner Pharmacy")
    expect(entry).to_contain_text(written.prescription_number)
    own = page.get_by_role("listitem").filter(has_text="Access log read")
    expect(own).to_have_count(0)
    page.get_by_label("Include when I looked at it myself").check()
    expect(own.first).to_contain_text("patient")


def test_a_forgotten_password_is_set_anew_by_a_mailed_code(windows: Windows, patient: Actor, sender: Sender) -> None:
    window = windows()
    page = window.go("/set-password").page
    page.get_by_label("Email").fill(patient.email)
    page.get_by_role("button", name="Email me a code").click()
    page.get_by_label("Code from the email").fill(sender.code(patient.email, "password"))
    page.get_by_label("New password").fill("seven quiet violet kettles")
    page.get_by_role("button", name="Set password").click()
    page.get_by_role("link", name="Sign in with it").click()
    window.sign_in(patient, "seven quiet violet kettles")
