"""Sessions that one can see: the account page lists and ends them, and an admin ends those of a person."""

from playwright.sync_api import expect

from tests.fixtures.actors import Actors
from tests.fixtures.proofs import control
from tests.web.conftest import Windows

PHONE = {"user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1"}


@control("S101")
def test_other_devices_are_seen_and_signed_out(windows: Windows, actors: Actors) -> None:
    patient = actors.new_patient()
    phone = windows(**PHONE).sign_in(patient)
    page = windows().sign_in(patient).move("/account").page
    rows = page.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Chrome on Linux")
    expect(rows.first).to_contain_text("This device")
    expect(rows.first.get_by_role("button")).to_have_count(0)

    page.get_by_role("button", name="Sign out Safari on iPhone").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(rows).to_have_count(2)
    expect(page.get_by_text("Safari on iPhone was signed out.").first).to_be_visible()
    phone.page.get_by_role("link", name="Record").click()
    expect(phone.page.get_by_text("Your session has ended.")).to_be_visible()

    page.get_by_role("button", name="Sign out all other devices").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(rows).to_have_count(1)
    expect(page.get_by_role("button", name="Sign out all other devices")).to_have_count(0)
    assert actors.rest("GET", "/auth/profile", patient)[0] == 401


@control("S101")
def test_admin_ends_all_sessions_with_a_reason(windows: Windows, actors: Actors) -> None:
    pharmacist = actors.new_pharmacist()
    page = windows().sign_in(actors.new_admin()).page
    page.get_by_label("Find an account").fill(pharmacist.email)
    account = page.get_by_role("listitem").filter(has_text=pharmacist.email)
    account.get_by_role("link", name="Show sessions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
    page.get_by_role("button", name="End all sessions").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="End all sessions").click()
    expect(dialog.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Reason").select_option("A device was left signed in")
    dialog.get_by_role("button", name="End all sessions").click()
    expect(page.get_by_text("Ended sessions: 1.").first).to_be_visible()
    expect(page.get_by_text("Not signed in anywhere.")).to_be_visible()
    assert actors.rest("GET", "/auth/profile", pharmacist)[0] == 401
