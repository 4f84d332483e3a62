"""A pharmacist's tasks in a real browser, from the picture in the patient's email to the receipt."""

import random
import re
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Final

import pytest
from medconnect.clinical.v1 import prescription_pb2
from playwright.sync_api import Page, Route, expect

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.browser import Window
from tests.fixtures.cells import cells
from tests.fixtures.package_codes import DAMAGED, READ, random_codes
from tests.fixtures.sender import Sender
from tests.web.conftest import Windows


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient("Clara Müller")


@pytest.fixture
def written(actors: Actors, patient: Actor) -> prescription_pb2.Prescription:
    """Returns a prescription of 10 and 20 units."""
    return actors.prescribe(patient.patient_id, 10, 20)


@pytest.fixture
def pharmacist(actors: Actors) -> Actor:
    return actors.new_pharmacist()


@pytest.fixture
def counter(windows: Windows, pharmacist: Actor) -> Window:
    """Returns a pharmacist's window at the counter."""
    return windows().sign_in(pharmacist)


@pytest.fixture
def held(counter: Window, written: prescription_pb2.Prescription) -> Page:
    """Returns the prescription, looked up and validated."""
    look_up(counter.page, written.prescription_number)
    press(counter.page, "Validate")
    expect(counter.page.get_by_role("heading", name="Dispense")).to_be_focused()
    return counter.page


def picture(mail: EmailMessage) -> bytes:
    (part,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    content = part.get_content()
    assert isinstance(content, bytes)
    return content


def look_up(page: Page, text: str) -> None:
    """Types as a hand scanner does: the field has the focus already."""
    page.get_by_label("Reference number").fill(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Counter")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def fill_line(page: Page, medicine: str, price: str = "1.50", **more: str) -> None:
    line = page.get_by_role("group", name=medicine)
    given = {"Unit price": price, "Batch number": "B-77", "Batch expiry date": "2099-01-31", **more}
    for label, value in given.items():
        line.get_by_label(label).fill(value)


def leave_out(page: Page, medicine: str) -> None:
    page.get_by_role("group", name=medicine).get_by_label("Dispense now").uncheck()


def test_emailed_picture_is_scanned_and_dispensed_in_two_parts(
    counter: Window, written: prescription_pb2.Prescription, patient: Actor, sender: Sender
) -> None:
    page = counter.page
    mail = sender.wait(patient.email, written.prescription_number)
    page.get_by_label("Picture of the code").set_input_files(
        {"name": "code.png", "mimeType": "image/png", "buffer": picture(mail)}
    )

    expect(page.get_by_role("heading", level=1)).to_have_text(written.prescription_number)
    expect(page.get_by_text("Allergies: Penicillin")).to_be_visible()
    for shown in ("Clara Müller", "31 Jan 1980", "Sam Staff", "MD-1", "Sinusitis", "Scanned"):
        expect(page.get_by_label("Patient and prescription").get_by_text(shown, exact=True)).to_be_visible()

    press(page, "Validate")
    leave_out(page, "Medicine 1")
    fill_line(page, "Medicine 0", "1,25", Quantity="4")
    press(page, "Dispense")
    expect(page.get_by_text("Dispensed for 5.00 USD.").first).to_be_visible()
    expect(page.get_by_role("row", name="Medicine 0")).to_contain_text("6")

    press(page, "Validate")
    expect(page.get_by_role("group", name="Medicine 0").get_by_label("Quantity")).to_have_value("6")
    fill_line(page, "Medicine 0")
    fill_line(page, "Medicine 1", "0.10")
    press(page, "Dispense")
    expect(page.get_by_text("Dispensed for 11.00 USD.").first).to_be_visible()

    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("row")).to_have_count(5)
    expect(page.get_by_role("row", name="Total in USD")).to_contain_text("16.00")
    expect(page.get_by_text("Dispensed", exact=True)).to_be_visible()


def test_field_error_is_shown_at_its_field_after_skipped_line(held: Page) -> None:
    leave_out(held, "Medicine 0")
    fill_line(held, "Medicine 1", "free", Quantity="21")
    press(held, "Dispense")
    line = held.get_by_role("group", name="Medicine 1")
    price = line.get_by_label("Unit price")
    expect(price).to_be_focused()
    expect(price).to_have_attribute("aria-invalid", "true")
    expect(price).to_have_accessible_description("Such as 12.50. does not have the right form")
    fill_line(held, "Medicine 1", Quantity="21")
    press(held, "Dispense")
    expect(line.get_by_label("Quantity")).to_have_accessible_description(
        "Remaining: 20 pieces. must be above 0 and at most what is still open: 20 pieces"
    )


def test_no_line_at_all_is_refused_by_the_service_and_told(held: Page) -> None:
    leave_out(held, "Medicine 0")
    leave_out(held, "Medicine 1")
    press(held, "Dispense")
    expect(held.get_by_role("listitem").get_by_text("must contain at least 1 item")).to_be_visible()


def test_lost_reply_is_retried_and_nothing_is_dispensed_twice(
    held: Page, counter: Window, actors: Actors, pharmacist: Actor, written: prescription_pb2.Prescription
) -> None:
    keys = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    held.clock.install()
    held.route("**/pharmacy/dispense/*", lose)
    fill_line(held, "Medicine 0")
    fill_line(held, "Medicine 1")
    press(held, "Dispense")
    refused = held.get_by_text("MedConnect cannot be reached.")
    while not refused.is_visible():
        held.clock.run_for(1000)
    held.unroute("**/pharmacy/dispense/*")
    press(held, "Dispense")
    expect(held.get_by_text("Dispensed for 45.00 USD.").first).to_be_visible()

    counter.forgive("net::ERR_FAILED")
    assert len(keys) == 4
    assert len(set(keys)) == 1
    _, body = actors.rest("GET", "/pharmacy/history?action=dispense", pharmacist)
    assert [entry["prescriptionNumber"] for entry in body["data"]["entries"]] == [written.prescription_number]


def test_a_rejection_needs_a_reason_and_is_for_good(held: Page, written: prescription_pb2.Prescription) -> None:
    press(held, "Reject …")
    dialog = held.get_by_role("dialog", name="Reject prescription?")
    dialog.get_by_role("button", name="Reject prescription").click()
    expect(dialog.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Reason").fill("The dose is above the maximum.")
    dialog.get_by_role("button", name="Reject prescription").click()
    expect(held.get_by_text("The prescription was rejected.").first).to_be_visible()
    expect(held.get_by_role("button", name="Validate")).to_have_count(0)
    held.reload()
    expect(held.get_by_text("The prescription has been rejected.")).to_be_visible()


def test_the_rest_is_closed_with_a_reason(held: Page) -> None:
    fill_line(held, "Medicine 0")
    leave_out(held, "Medicine 1")
    press(held, "Dispense")
    expect(held.get_by_role("button", name="Reject …")).to_have_count(0)
    press(held, "Close the rest …")
    dialog = held.get_by_role("dialog", name="Close the rest?")
    dialog.get_by_role("button", name="Close the rest").click()
    expect(dialog.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Reason").fill("The rest is not available.")
    dialog.get_by_role("button", name="Close the rest").click()
    expect(held.get_by_text("The rest was closed.").first).to_be_visible()
    expect(held.get_by_role("button", name="Validate")).to_have_count(0)
    held.goto(held.url.partition("#")[0] + "#/counter")
    held.go_back()
    expect(held.get_by_text("A pharmacy has closed the rest of the prescription.")).to_be_visible()


def test_claim_countdown_survives_reload_and_is_renewed(held: Page) -> None:
    expect(held.get_by_role("timer")).to_have_text(re.compile(r"^29:5\d$"))
    held.clock.install()
    held.reload()
    expect(held.get_by_role("timer")).to_have_text(re.compile(r"^29:"))
    held.clock.fast_forward("28:30")
    expect(held.get_by_role("timer")).to_have_text(re.compile(r"^1:"))
    expect(held.get_by_text("less than two minutes")).to_be_attached()
    held.keyboard.press("Shift")  # the pharmacist is there: an unused page would be signed out before the claim ends
    held.clock.fast_forward("02:00")
    expect(held.get_by_text("Your claim has expired.")).to_be_visible()
    press(held, "Renew")
    expect(held.get_by_text("Your claim has expired.")).to_be_visible()  # the service's clock has not advanced
    press(held, "Release")
    expect(held.get_by_text("The prescription was released").first).to_be_visible()
    expect(held.get_by_role("timer")).to_have_count(0)


WRITTEN: Final[Mapping[str, Callable[[str], str]]] = {
    "spaces": lambda number: number.replace("-", " "),
    "no dashes, lower case": lambda number: number.replace("-", "").lower(),
    "dashes of a word processor": lambda number: number.replace("-", "\u2013"),
    "full width": lambda number: "".join(chr(ord(character) + 0xFEE0) for character in number),
    "a full stop": lambda number: number + ".",
}


@cells("way", WRITTEN)
def test_number_opens_its_prescription_however_it_is_written(
    counter: Window, written: prescription_pb2.Prescription, way: str
) -> None:
    page = counter.go("/counter").page
    look_up(page, WRITTEN[way](written.prescription_number))
    expect(page.get_by_role("heading", level=1)).to_have_text(written.prescription_number)
    assert page.url.endswith(f"/counter/{written.prescription_number}")


@pytest.mark.parametrize("kind", ["number", "code"])
def test_tab_after_a_scan_looks_up_as_enter_does(
    counter: Window, actors: Actors, written: prescription_pb2.Prescription, kind: str
) -> None:
    page = counter.page
    page.keyboard.type(written.prescription_number if kind == "number" else actors.qr_text(written.id))
    page.keyboard.press("Tab")
    expect(page.get_by_role("heading", level=1)).to_have_text(written.prescription_number)


def test_tab_leaves_the_field_unless_a_whole_number_is_new(counter: Window) -> None:
    page, field = counter.page, counter.page.get_by_label("Reference number")
    page.keyboard.type("RX-20261122")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Look up")).to_be_focused()
    field.fill("RX-20261122-7K3M9QTH")
    field.press("Tab")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    field.press("Tab")
    expect(page.get_by_role("button", name="Look up")).to_be_focused()


def test_patient_with_more_open_prescriptions_is_told_so(
    counter: Window, patient: Actor, actors: Actors, written: prescription_pb2.Prescription
) -> None:
    _, profile = actors.rest("GET", "/patients/profile", patient)
    number = profile["data"]["patient"]["referenceNumber"]
    page = counter.page
    look_up(page, number.replace("-", " "))
    expect(page.get_by_text("1 in total. Select one.")).to_be_visible()
    expect(page.get_by_text("The patient has more open prescriptions.")).to_have_count(0)

    def add_more(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "data": {**answer.json()["data"], "hasMore": True}})

    page.route("**/api/v1/pharmacy/lookup", add_more)
    counter.go("/counter")
    look_up(page, number)
    expect(page.get_by_text("The patient has more open prescriptions.")).to_be_visible()
    expect(page.get_by_text("the newest 1. Select one.")).to_be_visible()


def test_decimal_comma_is_read_or_refused_in_words(held: Page) -> None:
    leave_out(held, "Medicine 1")
    for quantity in ("1,000", "1.000", "2.0005"):
        fill_line(held, "Medicine 0", Quantity=quantity)
        press(held, "Dispense")
        field = held.get_by_role("group", name="Medicine 0").get_by_label("Quantity")
        expect(field).to_have_accessible_description(re.compile("must be a number such as 2.5"))
        expect(field).to_be_focused()
    fill_line(held, "Medicine 0", Quantity="2,5")
    press(held, "Dispense")
    expect(held.get_by_text("Dispensed for 3.75 USD.").first).to_be_visible()


def test_scanned_packs_fill_the_lines_of_two_batches(held: Page) -> None:
    leave_out(held, "Medicine 1")
    group = held.get_by_role("group", name="Medicine 0")
    group.get_by_role("button", name="Add another batch").click()
    second = group.get_by_role("group", name="Batch 2")
    expect(second.get_by_label("Quantity")).to_be_focused()
    held.keyboard.type("7,5")
    for field, prefix in (("Product code", "]d2"), ("Batch number", "")):
        second.get_by_label(field).fill("")
        held.keyboard.type(f"{prefix}010401234567890110AB-1")
        held.keyboard.press("Control+]")
        held.keyboard.type("17990200")
        held.keyboard.press("Enter")
        expect(second.get_by_label("Unit price")).to_be_focused()
        shown = {"Product code": "04012345678901", "Batch number": "AB-1", "Batch expiry date": "1999-02-28"}
        for label, value in shown.items():
            expect(second.get_by_label(label)).to_have_value(value)
    held.keyboard.type("2")
    first = {"Quantity": "2.5", "Unit price": "2", "Batch number": "B-77", "Batch expiry date": "01/2099"}
    for label, value in first.items():
        group.get_by_label(label).first.fill(value)
    press(held, "Dispense")
    expiry = second.get_by_label("Batch expiry date")
    expect(expiry).to_have_attribute("aria-invalid", "true")
    expiry.fill("2099-02")
    press(held, "Dispense")
    expect(held.get_by_text("Dispensed for 20.00 USD.").first).to_be_visible()
    held.get_by_role("link", name="Receipt").click()
    expect(held.get_by_role("row", name="product 04012345678901")).to_contain_text("28 Feb 2099")
    expect(held.get_by_role("row", name="Batch B-77")).to_contain_text("31 Jan 2099")


def test_page_reads_package_codes_as_the_client_does(counter: Window) -> None:
    read = """async (codes) => {
      const { isPackageCode, readPackage } = await import("/js/parts/package_code.js");
      return codes.map((code) => [isPackageCode(code), readPackage(code)]);
    }"""
    codes = {**READ, **dict(random_codes(random.Random(17), 500))}
    answers = counter.page.evaluate(read, list(codes))
    for (is_code, stated), (code, expected) in zip(answers, codes.items(), strict=True):
        product, batch, expiry = expected
        found = tuple(stated.get(name) for name in ("productCode", "batchNumber", "expiryDate"))
        assert (is_code, found) == (True, (product, batch, expiry and expiry.isoformat())), code
    assert [stated for _, stated in counter.page.evaluate(read, list(DAMAGED))] == [None] * len(DAMAGED)
