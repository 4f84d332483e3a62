"""Tests opening, listing and verifying accounts, and the first admin."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from server.auth.entities import User, UserFilter, UserStatus
from server.auth.password_hashing import Passwords
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import EmailTaken, InvalidCredentials, NotFound, PageTokenInvalid, ValidationFailed
from server.identity import Caller, Role
from server.pagination import PageRequest
from tests.fixtures.auth import PASSWORD, Auth, an_application, process, set_status
from tests.fixtures.clock import SettableClock
from tests.fixtures.sessions import execute
from tests.fixtures.users import NO_DETAILS

ADMIN = Caller(new_id(), Role.ADMIN, new_id())
ALL = UserFilter(role=None, status=None, search=None)
FIRST_PAGE = PageRequest(size=20, token="")


@pytest.fixture
def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    return Auth.build(work, clock.clock, passwords)


async def mails_to(auth: Auth, user: User) -> list[Any]:
    return await execute(
        auth.work, "SELECT kind, recipient, details::text FROM emails WHERE recipient_id = $1", user.id
    )


async def listed(auth: Auth, **wanted: Any) -> list[str]:
    page = await auth.accounts.list_users(ADMIN, replace(ALL, **wanted), FIRST_PAGE)
    assert page.total_size == len(page.items)
    return [user.full_name for user in page.items]


async def named(auth: Auth, *names: str) -> list[User]:
    """Returns patients with these names, each created a minute after the previous one."""
    users = []
    for name in names:
        await execute(auth.work, "UPDATE users SET created_at = created_at - interval '1 min'")
        users.append((await auth.accounts.create_user(an_application(full_name=name))).user)
    return users


async def test_register_patient_creates_active_account_with_record(auth: Auth) -> None:
    opened, tokens = await auth.accounts.register(an_application(email="Ann@Example.org"))
    caller = auth.access_tokens.verify(tokens.access_token)
    assert (opened.user.email, opened.user.status) == ("ann@example.org", UserStatus.ACTIVE)
    assert opened.patient is not None
    assert opened.patient.reference_number.startswith("PAT-")
    assert await auth.accounts.current_user(caller) == opened.user
    await auth.sessions.refresh(tokens.refresh_token)
    await auth.sessions.login("ann@example.org", PASSWORD)


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.PHARMACIST])
async def test_register_staff_waits_for_verification_without_record(auth: Auth, role: Role) -> None:
    opened, _ = await auth.accounts.register(an_application(role))
    assert (opened.user.role, opened.user.status) == (role, UserStatus.UNVERIFIED)
    assert opened.user.license_number == "L-1"
    assert opened.patient is None


async def test_a_new_account_is_welcomed_in_the_same_transaction(auth: Auth) -> None:
    registered, _ = await auth.accounts.register(an_application())
    made = await auth.accounts.create_user(an_application(Role.DOCTOR))
    invited = await auth.accounts.create_user(replace(an_application(Role.DOCTOR), password=None))
    assert await mails_to(auth, registered.user) == [("welcome", registered.user.email, "{}")]
    assert await mails_to(auth, made.user) == [("welcome", made.user.email, "{}")]
    assert await mails_to(auth, invited.user) == [("welcome", invited.user.email, '{"invited": "yes"}')]


async def test_register_taken_address_in_another_case_is_rejected(auth: Auth) -> None:
    await auth.open(email="ann@example.org")
    with pytest.raises(EmailTaken):
        await auth.accounts.register(an_application(email="ANN@example.org"))
    with pytest.raises(EmailTaken):
        await auth.accounts.create_user(an_application(Role.DOCTOR, email="ann@Example.org"))


async def test_of_registrations_at_once_with_one_address_one_succeeds(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as auth:
        asked = an_application(email="ann@example.org")
        answers = await asyncio.gather(*(auth.accounts.register(asked) for _ in range(6)), return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["EmailTaken"] * 5 + ["tuple"]
        counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM patients), (SELECT count(*) FROM emails)"
        assert await execute(auth.work, counts) == [(1, 1, 1)]


async def test_a_refused_application_leaves_nothing(auth: Auth, clock: SettableClock) -> None:
    tomorrow = replace(NO_DETAILS, date_of_birth=(clock.moment + timedelta(days=1)).date())
    for asked in (
        replace(an_application(), patient=tomorrow),
        replace(an_application(Role.DOCTOR), license_number=""),
        replace(an_application(email="ann.other@example.org"), password="ann.other 2026"),
    ):
        with pytest.raises(ValidationFailed):
            await auth.accounts.register(asked)
        with pytest.raises(ValidationFailed):
            await auth.accounts.create_user(asked)
    assert await execute(auth.work, "SELECT count(*) FROM users") == [(0,)]


async def test_create_user_by_admin_makes_active_account_of_each_role(auth: Auth) -> None:
    for role in Role:
        opened = await auth.accounts.create_user(an_application(role))
        assert (opened.user.role, opened.user.status) == (role, UserStatus.ACTIVE)
        assert (opened.patient is not None) == (role is Role.PATIENT)
        await auth.check(await auth.sign_in(opened.user), verified=True)


async def test_create_user_without_password_waits_for_owner_to_set_one(auth: Auth) -> None:
    opened = await auth.accounts.create_user(replace(an_application(Role.DOCTOR), password=None))
    with pytest.raises(InvalidCredentials):
        await auth.sign_in(opened.user)


async def test_a_list_is_newest_first_in_pages(auth: Auth) -> None:
    await named(auth, "One One", "Two Two", "Three Three", "Four Four", "Five Five")
    names, token = [], ""
    for _ in range(3):
        page = await auth.accounts.list_users(ADMIN, ALL, PageRequest(2, token))
        names.append([user.full_name for user in page.items])
        token = page.next_page_token
        assert page.total_size == 5
    assert names == [["Five Five", "Four Four"], ["Three Three", "Two Two"], ["One One"]]
    assert token == ""


async def test_accounts_of_the_same_moment_are_listed_once_each(auth: Auth) -> None:
    made = await named(auth, "One One", "Two Two", "Three Three")
    await execute(auth.work, "UPDATE users SET created_at = '2026-01-01Z'")
    seen, token = [], ""
    for _ in made:
        page = await auth.accounts.list_users(ADMIN, ALL, PageRequest(1, token))
        seen += [user.id for user in page.items]
        token = page.next_page_token
    assert seen == sorted((user.id for user in made), reverse=True)


async def test_a_page_token_belongs_to_its_caller_and_filter(auth: Auth) -> None:
    await named(auth, "One One", "Two Two")
    token = (await auth.accounts.list_users(ADMIN, ALL, PageRequest(1, ""))).next_page_token
    for caller, wanted in [
        (replace(ADMIN, user_id=new_id()), ALL),
        (ADMIN, replace(ALL, role=Role.PATIENT)),
        (ADMIN, replace(ALL, search="one")),
    ]:
        with pytest.raises(PageTokenInvalid):
            await auth.accounts.list_users(caller, wanted, PageRequest(1, token))


async def test_a_list_narrows_by_role_and_status(auth: Auth) -> None:
    for role in Role:
        await auth.accounts.create_user(an_application(role, full_name=f"Old {role}"))
    await auth.accounts.register(an_application(Role.DOCTOR, full_name="New doctor"))
    closed = (await auth.accounts.create_user(an_application(full_name="Closed patient"))).user
    await set_status(auth.work, closed, UserStatus.DEACTIVATED)
    assert sorted(await listed(auth, role=Role.DOCTOR)) == ["New doctor", "Old doctor"]
    assert await listed(auth, status=UserStatus.UNVERIFIED) == ["New doctor"]
    assert await listed(auth, status=UserStatus.DEACTIVATED) == ["Closed patient"]
    assert await listed(auth, role=Role.DOCTOR, status=UserStatus.ACTIVE) == ["Old doctor"]
    assert await listed(auth, role=Role.ADMIN, status=UserStatus.UNVERIFIED) == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("zoe", ["Zoë O'Hara"]),
        ("HAR o", ["Zoë O'Hara"]),
        ("har", ["Zola Hart", "Zoë O'Hara"]),
        ("har ZO", []),
        ("hart", ["Zola Hart"]),
        ("li", ["Li Wu"]),
        ("wu", ["Li Wu"]),
        ("ar", []),
        ("...", []),
        ("O'H'); DROP TABLE users; --", []),
        ("zoe & !hara | x:*", []),
    ],
)
async def test_a_search_finds_names_by_how_their_words_begin(auth: Auth, search: str, found: list[str]) -> None:
    await named(auth, "Zoë O'Hara", "Zola Hart", "Li Wu", "Lisa Wunder")
    assert sorted(await listed(auth, search=search)) == found


async def test_a_search_finds_an_address_only_as_a_whole(auth: Auth) -> None:
    await auth.accounts.create_user(an_application(email="ann@example.org", full_name="Ann One"))
    await auth.accounts.create_user(an_application(email="ann@example.or", full_name="Ann Two"))
    assert await listed(auth, search=" Ann@Example.org ") == ["Ann One"]
    assert await listed(auth, search="ann@example") == []


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.PHARMACIST])
async def test_verifying_twice_changes_nothing(auth: Auth, role: Role) -> None:
    user = await auth.open(role, verified=False)
    await execute(auth.work, "UPDATE users SET status_changed_at = now() - interval '1 h'")
    verified = await auth.accounts.verify(user.id)
    assert verified == replace(user, status=UserStatus.ACTIVE)
    changed = "SELECT status_changed_at FROM users"
    await execute(auth.work, "UPDATE users SET status_changed_at = now() - interval '1 h'")
    before = await execute(auth.work, changed)
    assert await auth.accounts.verify(user.id) == verified
    assert await execute(auth.work, changed) == before


async def test_a_first_verification_is_a_change_that_others_see(auth: Auth) -> None:
    user = await auth.open(Role.DOCTOR, verified=False)
    await execute(auth.work, "UPDATE users SET status_changed_at = now() - interval '1 h'")
    await auth.accounts.verify(user.id)
    recent = "SELECT status_changed_at = now() FROM users"
    assert await execute(auth.work, recent) == [(True,)]


async def test_verify_user_without_licence_is_not_found(auth: Auth) -> None:
    closed = await auth.open(Role.DOCTOR)
    await set_status(auth.work, closed, UserStatus.DEACTIVATED)
    strangers: list[UUID] = [
        (await auth.open(Role.PATIENT)).id,
        (await auth.open(Role.ADMIN)).id,
        closed.id,
        new_id(),
    ]
    for user_id in strangers:
        with pytest.raises(NotFound, match=r"There is no such account\."):
            await auth.accounts.verify(user_id)


async def test_first_admin_password_generated_is_shown_once_and_works(auth: Auth) -> None:
    password = await auth.accounts.ensure_first_admin("Admin@medconnect.local", None)
    assert password is not None
    assert len(password) >= 20
    assert await auth.accounts.ensure_first_admin("admin@medconnect.local", None) is None
    signed_in = await auth.sessions.login("admin@medconnect.local", password)
    assert (signed_in.user.role, signed_in.user.status) == (Role.ADMIN, UserStatus.ACTIVE)


async def test_first_admin_password_given_is_used_and_not_shown(auth: Auth) -> None:
    assert await auth.accounts.ensure_first_admin("admin@medconnect.local", PASSWORD) is None
    assert (await auth.sessions.login("admin@medconnect.local", PASSWORD)).user.role is Role.ADMIN
    assert await auth.accounts.ensure_first_admin("other@medconnect.local", "another password") is None
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login("other@medconnect.local", "another password")


async def test_a_weak_password_or_a_taken_address_makes_no_admin(auth: Auth) -> None:
    with pytest.raises(ValidationFailed):
        await auth.accounts.ensure_first_admin("admin@medconnect.local", "admin1234")
    await auth.open(email="ann@example.org")
    with pytest.raises(EmailTaken):
        await auth.accounts.ensure_first_admin("ann@example.org", None)


async def test_processes_that_start_at_once_make_one_admin(database_url: str, passwords: Passwords) -> None:
    async with process(database_url, passwords) as one, process(database_url, passwords) as another:
        async with one.work.begin() as blocking:  # When the block ends, every call has begun and none has written.
            await blocking.connection.execute(text("LOCK TABLE users IN SHARE MODE"))
            starts = asyncio.gather(
                *(
                    started.accounts.ensure_first_admin(f"admin{number}@medconnect.local", None)
                    for number, started in enumerate((one, another, one, another))
                )
            )
            await asyncio.sleep(0.3)
        answers = await starts
        assert len([password for password in answers if password is not None]) == 1
        assert await execute(one.work, "SELECT role FROM users") == [("admin",)]
