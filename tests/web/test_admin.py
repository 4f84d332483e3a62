"""An admin's tasks in a real browser: verifying and closing accounts, watching emails, reading the audit."""

import pytest
from medconnect.auth.v1 import auth_service_pb2
from medconnect.options.v1 import access_pb2
from playwright.sync_api import Page, expect

from tests.fixtures.actors import Actors, new_address, new_email
from tests.fixtures.browser import Window
from tests.fixtures.users import new_issuer
from tests.web.conftest import Windows


@pytest.fixture
def admin(windows: Windows, actors: Actors) -> Window:
    """Returns the admin's window."""
    return windows().sign_in(actors.new_admin())


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_pharmacist_works_from_verification_until_deactivation(admin: Window, windows: Windows, actors: Actors) -> None:
    pharmacist = actors.new_unverified(access_pb2.ROLE_PHARMACIST)
    written = actors.prescribe(actors.new_patient().patient_id, 1)
    counter = windows().sign_in(pharmacist).page
    counter.get_by_label("Reference number").fill(written.prescription_number)
    counter.keyboard.press("Enter")
    expect(counter.get_by_text("An administrator compares your licence number")).to_be_visible()

    page = admin.page
    page.get_by_label("Find an account").fill(pharmacist.email)
    account = page.get_by_role("listitem").filter(has_text=pharmacist.email)
    account.get_by_role("button", name="Verify").click()
    page.get_by_role("dialog").get_by_role("button", name="Verify").click()
    expect(account).to_contain_text("Active")
    press(counter, "Look up")
    expect(counter.get_by_role("heading", level=1)).to_have_text(written.prescription_number)

    account.get_by_role("button", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(account).to_contain_text("Deactivated")
    counter.get_by_role("link", name="History").click()
    expect(counter.get_by_text("Your session has ended.")).to_be_visible()


def test_second_account_with_a_license_is_refused_by_name(admin: Window, actors: Actors) -> None:
    issuer = new_issuer()
    holder, second = (actors.new_unverified(access_pb2.ROLE_DOCTOR, license_issuer=issuer) for _ in range(2))
    verify = auth_service_pb2.VerifyUserRequest(user_id=holder.user_id)
    actors.auth.VerifyUser(verify, metadata=actors.admin.metadata)
    page = admin.page
    page.get_by_label("Find an account").fill(second.email)
    account = page.get_by_role("listitem").filter(has_text=second.email)
    account.get_by_role("button", name="Verify").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Verify").click()
    expect(dialog).to_contain_text(f"The active account of Uma Unverified, {holder.email}, has the same licence.")
    dialog.get_by_label("Licence issued by").fill(f"{issuer} of Hesse")
    dialog.get_by_role("button", name="Verify").click()
    expect(account).to_contain_text("Active")
    expect(account).to_contain_text(f"{issuer} of Hesse")


def test_admin_who_verifies_is_warned_of_look_alikes(admin: Window, actors: Actors) -> None:
    name = f"Corner {new_issuer()}"
    actors.new_pharmacist(new_address(), pharmacy_name=name)
    waiting = actors.new_unverified(
        access_pb2.ROLE_PHARMACIST, pharmacy_name=name.replace("o", "\N{CYRILLIC SMALL LETTER O}")
    )
    page = admin.page
    page.get_by_label("Find an account").fill(waiting.email)
    account = page.get_by_role("listitem").filter(has_text=waiting.email)
    account.get_by_role("button", name="Verify").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Another workplace looks the same but is written with other letters: {name}.")
    expect(dialog).to_contain_text("Other accounts have this name, or one that looks the same: Uma Unverified")


def test_created_account_and_its_history_are_in_the_audit(admin: Window) -> None:
    page, email = admin.go("/accounts/new").page, new_email()
    page.get_by_label("Full name").fill("Nora Newman")
    page.get_by_label("Email").fill(email)
    press(page, "Create account")
    licence = page.get_by_label("Licence number")
    expect(licence).to_have_attribute("aria-invalid", "true")
    licence.fill("MD-77")
    press(page, "Create account")
    expect(page.get_by_text(f"An email is on its way to {email}")).to_be_visible()
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("listitem").filter(has_text="created").first).to_contain_text("admin")


def test_a_mail_is_seen_going_and_a_failed_one_is_put_back(admin: Window, actors: Actors) -> None:
    failed = actors.failed_mail()
    page = admin.go("/emails").page
    expect(page.get_by_text("Live: changes appear automatically.")).to_be_visible()
    press(page, "Send test email")
    expect(page.get_by_role("listitem").filter(has_text="Test").filter(has_text="Completed").first).to_be_visible()

    page.get_by_label("Show").select_option("Failed")
    with page.expect_response(f"**/events/emails/{failed}/retry") as answer:
        page.get_by_role("button", name="Try again").first.click()
    assert answer.value.status == 200
    expect(page.get_by_text("The email is back in the queue.").first).to_be_visible()
