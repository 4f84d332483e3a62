"""Tests a prescription for a later day in a real browser: the doctor's form, the patient's view and the counter."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.fixtures.actors import Actors
from tests.fixtures.sender import Sender, body
from tests.web.conftest import Windows


def test_prescription_for_a_later_day_shows_it_to_everyone(windows: Windows, actors: Actors, sender: Sender) -> None:
    patient = actors.new_patient()
    day = (datetime.now(UTC) + timedelta(days=40)).date()
    words = f"{day:%-d %B %Y}"
    doctor = windows().sign_in(actors.doctor)
    page = doctor.go(f"/patients/{patient.patient_id}/prescribe").page
    fields = {"diagnosis": "Cough", "validFrom": f"{day - timedelta(days=400)}", "validDays": "20"}
    medicine = {"medicineName": "Doxycycline", "dosage": "100 mg", "frequency": "twice a day", "quantity": "20"}
    for name, value in (fields | {f"items[0].{name}": value for name, value in medicine.items()}).items():
        page.locator(f"main [name='{name}']").fill(value)
    page.get_by_role("button", name="Create prescription", exact=True).click()
    first = page.get_by_label("Valid from")
    expect(first).to_be_focused()
    expect(page.get_by_text("must be a date from today")).to_be_visible()
    first.fill(f"{day}")
    page.get_by_role("button", name="Create prescription", exact=True).click()
    expect(page.locator("dt", has_text="Valid from")).to_be_visible()
    number = page.get_by_role("heading", level=1).inner_text()
    assert words in body(sender.wait(patient.email, number), "plain")

    page = windows().sign_in(patient).go("/prescriptions").page
    expect(page.get_by_text("valid from")).to_be_visible()
    page.get_by_role("link", name=number).click()
    expect(page.locator("dt", has_text="Valid from")).to_be_visible()

    page = windows().sign_in(actors.pharmacist).go("/counter").page
    page.get_by_label("Reference number").fill(number)
    page.get_by_role("button", name="Look up", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(f"Pharmacies can dispense it from {words}.")
