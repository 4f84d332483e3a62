"""Second factors on the page: adding an app, signing in with it, and verifying it again before a dangerous step."""

import base64
from datetime import UTC, datetime

from playwright.sync_api import Page, expect
from sqlalchemy import text

from server.auth.rules.second_factors import code_at, step_at
from tests.fixtures.actors import PASSWORD, Actors
from tests.fixtures.proofs import control
from tests.web.conftest import Windows


def add_app(page: Page) -> tuple[bytes, str]:
    """Adds an app on the account page. Returns its secret and a recovery code."""
    card = page.get_by_role("region", name="Second factor")
    card.get_by_label("Current password").fill(PASSWORD)
    card.get_by_role("button", name="Add an authenticator app").click()
    expect(card.get_by_role("img")).to_be_visible()
    secret = base64.b32decode(card.locator(".number").inner_text())
    card.get_by_label("Code that the app shows").fill(code_at(secret, step_at(datetime.now(UTC))))
    card.get_by_role("button", name="Confirm").click()
    codes = card.locator("li.number")
    expect(codes).to_have_count(10)
    return secret, codes.first.inner_text()


async def forget_verifications(actors: Actors) -> None:
    async with actors.instance.core.work.begin() as tx:
        await tx.connection.execute(text("UPDATE sessions SET factor_at = now() - interval '1 hour'"))


@control("S99")
def test_app_is_added_and_asked_for_at_sign_in_and_step_up(windows: Windows, actors: Actors) -> None:
    admin = actors.new_admin()
    page = windows().sign_in(admin).move("/account").page
    secret, recovery = add_app(page)
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Email").fill(admin.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code of your authenticator app").fill(code_at(secret, step_at(datetime.now(UTC))))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("The code is missing, wrong or was used before.").first).to_be_visible()
    page.get_by_label("Code of your authenticator app").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")

    actors.instance.run(forget_verifications(actors))
    page.goto(page.url.partition("#")[0] + "#/account")
    card = page.get_by_role("region", name="Second factor")
    card.get_by_role("button", name="Create new recovery codes").click()
    page.get_by_role("dialog").get_by_role("button", name="Create new recovery codes").click()
    confirm = page.get_by_role("dialog", name="Confirm that it is you")
    confirm.get_by_label("Code of your authenticator app").fill(code_at(secret, step_at(datetime.now(UTC)) + 1))
    confirm.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("You have new recovery codes.").first).to_be_visible()
