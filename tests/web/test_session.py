"""Sessions in a browser: kept over a reload, shared by tabs, ended here and elsewhere, hidden from scripts."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, Request, expect

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.browser import Window
from tests.web.conftest import Windows


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@pytest.fixture
def window(windows: Windows, patient: Actor) -> Window:
    return windows().sign_in(patient)


def expect_sign_in(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def expect_prescriptions(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Your prescriptions")


def test_reload_stays_signed_in_by_a_script_hidden_cookie(window: Window) -> None:
    page = window.page
    (cookie,) = window.context.cookies(f"{window.url}/api/v1/auth/refresh")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.reload()
    expect_prescriptions(page)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert cookie["value"] not in kept
    assert "eyJ" not in kept  # the beginning of every access token


def test_tabs_that_refresh_at_once_stay_signed_in(window: Window) -> None:
    tabs = [window.page, window.tab(), window.tab()]
    for tab in tabs[1:]:
        tab.goto("/")
    for _ in range(2):
        for tab in tabs:
            tab.evaluate("setTimeout(() => location.reload())")
        for tab in tabs:
            expect_prescriptions(tab)


def test_session_ended_elsewhere_leads_to_sign_in_and_back(window: Window, actors: Actors, patient: Actor) -> None:
    page = window.page
    page.get_by_role("link", name="Record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your record")
    change = {"currentPassword": "correct horse battery staple", "newPassword": "seven quiet violet kettles"}
    assert actors.rest("PUT", "/auth/change-password", patient, change)[0] == 200
    page.get_by_role("link", name="Access log").click()
    expect_sign_in(page)
    expect(page.get_by_text("Your session has ended. Sign in again to continue.")).to_be_visible()
    page.get_by_label("Email").fill(patient.email)
    page.get_by_label("Password").fill("seven quiet violet kettles")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who saw your record")


def test_signing_out_ends_server_session_and_forgets_page(window: Window) -> None:
    page = window.page
    page.get_by_role("link", name="Record").click()
    page.get_by_role("button", name="Sign out").click()
    expect_sign_in(page)
    expect(page.get_by_text("Your session has ended")).to_have_count(0)
    assert not window.context.cookies(f"{window.url}/api/v1/auth/refresh")
    page.reload()
    expect_sign_in(page)


def test_a_token_is_exchanged_before_it_ends_without_a_refusal(window: Window) -> None:
    page = window.page
    refreshed: list[Request] = []
    page.on("request", lambda request: refreshed.append(request) if "/auth/refresh" in request.url else None)
    page.clock.install()
    page.clock.fast_forward(timedelta(minutes=14, seconds=45) // timedelta(milliseconds=1))
    page.get_by_role("link", name="Record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your record")
    expect(page.get_by_role("heading", name="Edit record")).to_be_visible()
    assert len(refreshed) == 1


def test_a_page_of_another_role_is_no_page(window: Window) -> None:
    page = window.go("/counter").page
    expect_prescriptions(page)
    page = window.go("/nothing").page
    expect(page.get_by_text("There is no such page.")).to_be_visible()
