"""A changed workplace on the page: the account page warns before, signs out after, and an admin verifies again."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.fixtures.accessibility import flaws
from tests.fixtures.actors import Actors
from tests.fixtures.proofs import control
from tests.web.conftest import Windows


@control("S127")
def test_pharmacist_who_moves_is_warned_and_signed_out(
    windows: Windows, actors: Actors, request: pytest.FixtureRequest
) -> None:
    folder: Path | None = request.config.getoption("--screenshots", None)
    pharmacist = actors.new_pharmacist()
    window = windows().sign_in(pharmacist).move("/account")
    details = window.page.get_by_role("region", name="Details")
    expect(details).to_contain_text("If you change where you work, you are signed out")
    assert list(flaws(window.page, "moving-before", folder)) == []
    details.get_by_label("Phone").fill("+49 30 4711")
    details.get_by_role("button", name="Save").click()
    expect(window.page.get_by_text("Your details were saved.").first).to_be_visible()

    details.get_by_label("Pharmacy", exact=True).fill("Another Pharmacy")
    details.get_by_role("button", name="Save").click()

    expect(window.page.get_by_text("Your session has ended.")).to_be_visible()
    window.sign_in(pharmacist).move("/dispensed")
    expect(window.page.get_by_text("have not been verified yet").first).to_be_visible()
    admin = windows().sign_in(actors.new_admin()).page
    admin.get_by_label("Find an account").fill(pharmacist.email)
    account = admin.get_by_role("listitem").filter(has_text=pharmacist.email)
    expect(account).to_contain_text("Unverified")
    account.get_by_role("button", name="Verify").click()
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_contain_text("workplace Another Pharmacy")
    dialog.get_by_role("button", name="Verify").click()
    expect(account).to_contain_text("Active")
