"""Organisations and claims in a real browser: admins keep members, members choose, patients end a claim."""

from playwright.sync_api import Page, expect

from tests.fixtures.actors import Actors, new_address
from tests.web.conftest import Windows


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def confirm(page: Page, name: str, **values: str) -> None:
    """Fills in the open dialog and confirms it."""
    dialog = page.get_by_role("dialog")
    for label, value in values.items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name=name).click()
    expect(dialog).to_be_hidden()


def test_member_acts_for_another_pharmacy_until_it_ends(windows: Windows, actors: Actors) -> None:
    pharmacist, name = actors.new_pharmacist(), f"Harbour {new_address()}"
    page = windows().sign_in(actors.new_admin()).page
    page.get_by_role("link", name="Organisations").click()
    press(page, "New organisation")
    page.get_by_role("dialog").get_by_label("Kind").select_option("pharmacy")
    confirm(page, "Create organisation", Name=name)
    page.get_by_role("link", name=f"Show members of {name}").click()
    press(page, "Add member")
    confirm(page, "Add member", Email=pharmacist.email)
    expect(page.get_by_role("listitem").filter(has_text=pharmacist.email)).to_be_visible()

    member = windows().sign_in(pharmacist).go("/account").page
    press(member, f"Act for {name}")
    expect(member.get_by_text(f"You now act for {name}.").first).to_be_visible()
    expect(member.get_by_role("listitem").filter(has_text=name)).to_contain_text("You act for it now")

    press(page, "End membership of Sam Staff")
    confirm(page, "End membership")
    expect(page.get_by_text("No members.")).to_be_visible()
    member.get_by_role("link", name="History").click()
    expect(member.get_by_text("Your session has ended.")).to_be_visible()
    press(page, "Close organisation")
    confirm(page, "Close organisation")
    expect(page.get_by_text("Closed", exact=True).first).to_be_visible()


def test_patient_ends_the_claim_of_a_pharmacy(windows: Windows, actors: Actors) -> None:
    patient = actors.new_patient()
    written = actors.prescribe(patient.patient_id, 10)
    actors.claim(written.id, actors.pharmacist)
    page = windows().sign_in(patient).go(f"/prescriptions/{written.id}").page
    press(page, "Go to another pharmacy")
    confirm(page, "End claim")
    expect(page.get_by_role("button", name="Go to another pharmacy")).to_be_hidden()
    expect(page.get_by_text("Scanned", exact=True).first).to_be_visible()
