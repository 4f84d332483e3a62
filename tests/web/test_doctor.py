"""A doctor's tasks in a real browser: a new patient, a visit, a prescription that changes on an open page."""

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.actors import Actors, new_email
from tests.fixtures.browser import Window
from tests.fixtures.sender import Sender
from tests.web.conftest import Windows


@pytest.fixture
def doctor(windows: Windows, actors: Actors) -> Window:
    """Returns a doctor's window."""
    return windows().sign_in(actors.new_doctor())


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def fill(page: Page, **values: str) -> None:
    """Fills fields by the names that they have in the request."""
    for name, value in values.items():
        page.locator(f"main [name='{name}']").fill(value)


def expect_title(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_form_about_another_person_offers_no_data_of_the_user(doctor: Window) -> None:
    page = doctor.page
    page.get_by_role("link", name="New patient").click()
    expect(page.locator("[name=dateOfBirth]")).to_have_attribute("autocomplete", "off")
    expect(page.locator("main :is(input, select):not([autocomplete=off])")).to_have_count(0)


def test_new_patient_gets_emailed_prescription_of_two_items(doctor: Window, sender: Sender) -> None:
    page, email = doctor.page, new_email()
    page.get_by_role("link", name="New patient").click()
    fill(page, fullName="Åsa Öberg", email=email, allergies="Latex\nPenicillin")
    press(page, "Create record")
    expect(page.locator("[name=dateOfBirth]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[name=dateOfBirth]")).to_be_focused()
    fill(page, dateOfBirth="1984-02-29")
    page.get_by_label("Gender").select_option("Female")
    press(page, "Create record")
    expect_title(page, "Åsa Öberg")
    sender.wait(email, "Welcome")

    page.get_by_role("link", name="New visit").click()
    fill(page, chiefComplaint="Cough and fever", **{"vitalSigns.temperature": "38,4"})
    press(page, "Save visit")
    expect(page.get_by_text("38.4 °C")).to_be_visible()
    page.get_by_role("link", name="Prescribe for this visit").click()

    expect(page.get_by_label("Visit")).to_contain_text("Cough and fever")
    fill(page, diagnosis="Acute bronchitis")
    press(page, "Add medicine")
    first = {"medicineName": "Doxycycline", "dosage": "100 mg", "frequency": "twice a day"}
    fill(page, **{f"items[0].{name}": value for name, value in first.items()})
    press(page, "Create prescription")
    quantity = page.locator("[name='items[0].quantity']")
    expect(quantity).to_be_focused()
    expect(page.locator("[name='items[1].medicineName']")).to_have_attribute("aria-invalid", "true")
    quantity.fill("20")
    second = {"medicineName": "Paracetamol", "dosage": "500 mg", "frequency": "when needed", "quantity": "12"}
    fill(page, **{f"items[1].{name}": value for name, value in second.items()})
    press(page, "Create prescription")

    expect(page.get_by_role("row", name="Doxycycline")).to_contain_text("20")
    expect(page.get_by_role("row", name="Paracetamol")).to_contain_text("12")
    number = page.get_by_role("heading", level=1).inner_text()
    sender.wait(email, number)
    expect(page.get_by_role("img", name=f"QR code of prescription {number}")).to_be_visible()
    press(page, "Email to patient")
    sender.wait(email, number, 2)


def test_patient_is_identified_where_the_doctor_prescribes(doctor: Window, actors: Actors) -> None:
    patient = actors.new_patient()
    page = doctor.go(f"/patients/{patient.patient_id}/prescribe").page
    fill(page, diagnosis="Cough")
    about = page.get_by_role("region", name="Identify this patient")
    expect(page.get_by_text("not identified")).to_be_visible()
    press(page, "Confirm identity")
    expect(about.get_by_label("Document")).to_be_focused()
    about.get_by_label("Document").select_option("Passport")
    press(page, "Confirm identity")
    expect(page.get_by_text("The patient is identified.").first).to_be_visible()
    expect(page.get_by_text("not identified")).to_have_count(0)
    expect(page.locator("[name=diagnosis]")).to_have_value("Cough")
    page = doctor.go(f"/patients/{patient.patient_id}").page
    expect(page.get_by_text("(Passport)")).to_be_visible()


def test_similar_records_are_shown_before_another_is_created(doctor: Window) -> None:
    page = doctor.page
    for name, button in (("Björn Duplo", "Create record"), ("Bjorn Duplo", "Create another record")):
        page.get_by_role("link", name="Patients", exact=True).click()
        page.get_by_role("link", name="New patient").click()
        fill(page, fullName=name, dateOfBirth="1971-02-03")
        page.locator("[name=gender]").select_option("male")
        press(page, "Create record")
        if button != "Create record":
            expect(page.get_by_role("link", name="Björn Duplo")).to_be_visible()
            press(page, button)
        expect_title(page, name)


def test_deactivated_patient_is_shown_to_get_no_email(doctor: Window, actors: Actors) -> None:
    patient = actors.new_patient()
    assert actors.rest("PUT", f"/users/{patient.user_id}/deactivate", actors.admin, {})[0] == 200
    notice = doctor.page.get_by_text("account is deactivated and gets no email: print each prescription")
    page = doctor.go(f"/patients/{patient.patient_id}").page
    expect(notice).to_be_visible()
    page.get_by_role("link", name="Prescribe", exact=True).click()
    expect(notice).to_be_visible()
    medicine = {"medicineName": "Doxycycline", "dosage": "100 mg", "frequency": "twice a day", "quantity": "20"}
    fill(page, diagnosis="Cough", **{f"items[0].{name}": value for name, value in medicine.items()})
    press(page, "Create prescription")
    expect(page.get_by_role("row", name="Doxycycline")).to_be_visible()
    expect(notice).to_be_visible()
    press(page, "Email to patient")
    expect(page.get_by_role("alert")).to_contain_text("The patient's account is deactivated; no email is sent to it.")


def test_a_removed_medicine_takes_what_was_said_of_it_along(doctor: Window, actors: Actors) -> None:
    page = doctor.go(f"/patients/{actors.new_patient().patient_id}/prescribe").page
    press(page, "Add medicine")
    fill(page, diagnosis="Cough", **{"items[1].medicineName": "Second"})
    press(page, "Create prescription")
    press(page, "Remove medicine 1")
    expect(page.locator("[name='items[0].medicineName']")).to_have_value("Second")
    expect(page.locator("[name='items[0].medicineName']")).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("[name='items[0].dosage']")).to_have_attribute("aria-invalid", "true")


def test_patient_search_by_name_prefix_is_kept_on_return(doctor: Window, actors: Actors) -> None:
    actors.new_patient("Zacharias Quillfeather")
    page = doctor.page
    page.get_by_label("Find a patient").fill("zach quil")
    page.get_by_role("link", name="Zacharias Quillfeather").first.click()
    expect_title(page, "Zacharias Quillfeather")
    page.go_back()
    expect(page.get_by_label("Find a patient")).to_have_value("zach quil")
    assert "zach" not in page.url


def test_page_follows_state_and_claimed_one_is_not_cancelled(windows: Windows, actors: Actors) -> None:
    written = actors.prescribe(actors.new_patient().patient_id, 10)
    page = windows().sign_in(actors.doctor).page
    page.clock.install()
    page.get_by_role("link", name="Prescriptions", exact=True).click()
    page.get_by_role("link", name=written.prescription_number).click()
    about = page.get_by_label("Prescription", exact=True)
    expect(about).to_contain_text("Pending")
    actors.claim(written.id, actors.pharmacist)
    page.clock.fast_forward("01:00")
    expect(about).to_contain_text("Validated")

    press(page, "Cancel prescription")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("Written by mistake")
    dialog.get_by_role("button", name="Cancel prescription").click()
    expect(dialog.get_by_text("A pharmacy is dispensing this prescription.")).to_be_visible()
    actors.rest("POST", f"/pharmacy/release/{written.id}", actors.pharmacist, {})
    dialog.get_by_role("button", name="Cancel prescription").click()
    expect(about).to_contain_text("Cancelled")
    expect(about).to_contain_text("Written by mistake")
