"""Real logoff: a page that no person uses warns, then blanks in all tabs; timers, polls and streams do not count."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from server.auth.rules.lifetimes import Lifetimes
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.browser import Window
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.proofs import control
from tests.web.conftest import IDLE_SECONDS, Windows

WARNING = "Are you still there?"


@pytest.fixture(scope="module")
def limit(request: pytest.FixtureRequest) -> int:
    """Returns the idle limit of staff in seconds; short in the whole suite, where the option is not registered."""
    return int(request.config.getoption("--idle-seconds", IDLE_SECONDS))


@pytest.fixture(scope="module")
def instance(shared_database_url: str, limit: int) -> Iterator[RunningInstance]:
    """Yields an instance with that limit, which settings give in whole minutes."""
    with running_instance(shared_database_url, staff_idle_minutes=1) as running:
        if limit != 60:
            running.services.sessions._lifetimes = Lifetimes(timedelta(seconds=limit))
        yield running


@pytest.fixture(scope="module")
def actors(instance: RunningInstance, limit: int) -> Iterator[Actors]:
    """Yields accounts on this instance; those that last sign in again before they are idle for too long."""
    with pytest.MonkeyPatch.context() as patch, Actors(instance) as actors:
        patch.setattr("tests.fixtures.actors.RENEWED_SECONDS", limit / 4)
        yield actors


@pytest.fixture
def admin(actors: Actors) -> Actor:
    return actors.new_admin()


@pytest.fixture
def window(windows: Windows, admin: Actor) -> Window:
    return windows().sign_in(admin)


def expect_blank(page: Page, limit: int) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in", timeout=limit * 1000)
    expect(page.get_by_text("Your session has ended. Sign in again to continue.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)


def open_sessions(actors: Actors, actor: Actor) -> int:
    """Returns the number of the account's sessions that have not ended on the server."""
    _, answer = actors.rest("GET", f"/users/{actor.user_id}/sessions", actors.admin)
    return int(answer["data"]["totalSize"])


@control("S100")
def test_unused_page_warns_then_blanks_all_tabs(window: Window, actors: Actors, admin: Actor, limit: int) -> None:
    asking, listing = window.page, window.tab()
    listing.goto("/#/emails")  # follows two streams
    expect(listing.get_by_text("Live: changes appear automatically.")).to_be_visible()
    asking.get_by_role("button", name="Deactivate").first.click()
    polls = "setInterval(() => import('/js/api.js').then(({ read }) => read('/auth/profile')).catch(() => {}), 500)"
    for tab in (asking, listing):
        tab.evaluate(polls)
        tab.evaluate("setInterval(() => document.body.dispatchEvent(new KeyboardEvent('keydown')), 500)")
    for tab in (asking, listing):
        expect(tab.get_by_role("alertdialog", name=WARNING)).to_be_visible(timeout=limit * 1000)
        assert tab.get_by_text("You will be signed out in").inner_text().endswith("seconds.")
    for tab in (asking, listing):
        expect_blank(tab, limit)
        assert admin.email not in tab.content()
    assert not window.context.cookies(f"{window.url}/api/v1/auth/refresh")
    asking.reload()
    expect(asking.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert open_sessions(actors, admin) == 0


@control("S100")
def test_person_who_acts_in_one_tab_keeps_all_signed_in(window: Window, limit: int) -> None:
    acting, other = window.page, window.tab()
    other.goto("/#/accounts")
    for _ in range(limit // 2):
        acting.keyboard.press("Shift")
        acting.wait_for_timeout(3000)
    for tab in (acting, other):
        expect(tab.get_by_role("heading", level=1)).to_have_text("Accounts")
        expect(tab.get_by_role("alertdialog")).to_have_count(0)
    expect(acting.get_by_role("alertdialog", name=WARNING)).to_be_visible(timeout=limit * 1000)
    acting.keyboard.press("Shift")  # an accidental key does not answer the question
    acting.wait_for_timeout(1200)
    expect(acting.get_by_role("alertdialog", name=WARNING)).to_be_visible()
    other.get_by_role("button", name="Stay signed in").click()
    for tab in (acting, other):
        expect(tab.get_by_role("alertdialog")).to_have_count(0)
        expect(tab.get_by_role("heading", level=1)).to_have_text("Accounts")


def test_sign_out_in_one_tab_blanks_the_others_at_once(window: Window) -> None:
    acting, other = window.page, window.tab()
    other.goto("/#/accounts")
    expect(other.get_by_role("heading", level=1)).to_have_text("Accounts")
    other.get_by_role("button", name="Deactivate").first.click()
    acting.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in", timeout=3000)
    expect(other.get_by_role("dialog")).to_have_count(0)


def test_page_after_skip_link_is_blanked_too(window: Window) -> None:
    page, other = window.page, window.tab()
    other.goto("/#/accounts")
    expect(other.get_by_role("heading", level=1)).to_have_text("Accounts")
    page.evaluate("location.hash = 'main'")
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
