"""The page by keyboard alone: the order of tab stops, the effect of Enter, and the focus afterwards."""

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.actors import PASSWORD, Actors
from tests.web.conftest import Windows

FOCUSED = "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"


def tab(page: Page, *names: str) -> None:
    """Presses Tab once for each name and checks that the named element has visible focus."""
    for name in names:
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED) == name
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", name


def test_signing_in_and_skipping_the_bar_by_keyboard(windows: Windows, actors: Actors) -> None:
    patient = actors.new_patient("Clara Müller")
    page = windows().go("/sign-in").page
    tab(page, "Email")
    page.keyboard.insert_text(patient.email)
    tab(page, "Password")
    page.keyboard.insert_text(PASSWORD)
    tab(page, "Sign in")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your prescriptions")).to_be_focused()

    page.reload()
    expect(page.get_by_role("heading", name="Your prescriptions")).to_be_focused()
    page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges()")
    page.locator("body").press("Shift+Tab")
    page.get_by_role("link", name="Skip to the content").focus()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    tab(page, "MedConnect", "Prescriptions", "History", "Access log", "Record", "Clara Müller", "Sign out")
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab(page, "Show")


@pytest.mark.parametrize("way_out", ["Escape", "Back"])
def test_a_dialog_keeps_the_focus_and_gives_it_back(windows: Windows, actors: Actors, way_out: str) -> None:
    patient = actors.new_patient()
    written = actors.prescribe(patient.patient_id, 1)
    page = windows().sign_in(patient).go(f"/prescriptions/{written.id}").page
    opener = page.get_by_role("button", name="Issue new code")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Issue a new code?")
    expect(dialog).to_be_visible()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    if way_out == "Escape":
        page.keyboard.press("Escape")
    else:
        dialog.get_by_role("button", name="Back").press("Enter")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_prescription_is_dispensed_without_a_mouse(windows: Windows, actors: Actors) -> None:
    written = actors.prescribe(actors.new_patient().patient_id, 3)
    page = windows().sign_in(actors.new_pharmacist()).page
    page.keyboard.insert_text(written.prescription_number)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=written.prescription_number)).to_be_focused()
    page.get_by_role("button", name="Validate").press("Enter")
    expect(page.get_by_role("heading", name="Dispense")).to_be_focused()
    tab(page, "Renew", "Release", "Reject …", "Dispense now", "Quantity", "Unit price")
    page.keyboard.insert_text("2")
    tab(page, "Product code (optional)", "Batch number")
    page.keyboard.insert_text("B-1")
    page.get_by_label("Batch expiry date").fill("2099-01-31")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Dispensed for 6.00 USD.").first).to_be_visible()
    expect(page.get_by_role("heading", name=written.prescription_number)).to_be_focused()
