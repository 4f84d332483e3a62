"""Another product than the prescribed one, from the doctor's form to what the patient reads, in a real browser."""

import re

from playwright.sync_api import expect

from tests.fixtures.actors import Actors
from tests.web.conftest import Windows
from tests.web.test_pharmacist import fill_line, look_up, press


def test_substitute_is_given_where_the_doctor_allows_it(windows: Windows, actors: Actors) -> None:
    doctor, patient = windows().sign_in(actors.new_doctor()), actors.new_patient("Clara Müller")
    form = doctor.go(f"/patients/{patient.patient_id}/prescribe").page
    press(form, "Add medicine")
    form.locator("[name=diagnosis]").fill("Flu")
    for position, medicine in enumerate(("Free", "Fixed")):
        for name, value in {"medicineName": medicine, "dosage": "1", "frequency": "daily", "quantity": "5"}.items():
            form.locator(f"[name='items[{position}].{name}']").fill(value)
    expect(form.get_by_label("May be substituted").first).to_be_checked()
    form.get_by_role("group", name="Medicine 2").get_by_label("May be substituted").uncheck()
    press(form, "Create prescription")
    expect(form.get_by_role("row", name="Fixed")).to_contain_text("No substitute allowed")
    expect(form.get_by_role("row", name="Free")).not_to_contain_text("No substitute allowed")

    counter = windows().sign_in(actors.new_pharmacist())
    page = counter.page
    look_up(page, form.get_by_role("heading", level=1).inner_text())
    press(page, "Validate")
    fixed, free = (page.get_by_role("group", name=name) for name in ("Fixed", "Free"))
    expect(fixed).to_contain_text("The doctor allows no substitute for this medicine.")
    expect(page.get_by_role("button", name="Give another product")).to_have_count(1)
    for medicine in ("Free", "Fixed"):
        fill_line(page, medicine)
    press(page, "Give another product")
    expect(free.get_by_label("Product given")).to_be_focused()
    page.keyboard.type("Generic")
    press(page, "Dispense")
    expect(free.get_by_label("Reason")).to_be_focused()
    expect(free.get_by_label("Reason")).to_have_accessible_description(re.compile("must be given"))
    page.keyboard.type("Not in stock.")
    press(page, "Dispense")
    expect(page.get_by_text("Dispensed for 15.00 USD.").first).to_be_visible()

    words = "Given: Generic (instead of Free): Not in stock."
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("row", name="Free")).to_contain_text(words)
    expect(page.get_by_role("row", name="Fixed")).not_to_contain_text("Given")
    expect(counter.go("/dispensed").page.get_by_text(words)).to_be_visible()
    number = form.get_by_role("heading", level=1).inner_text()
    phone = windows().sign_in(patient).page
    phone.get_by_role("link", name=number).click()
    expect(phone.get_by_role("table", name="Dispensed medicines")).to_contain_text(words)
