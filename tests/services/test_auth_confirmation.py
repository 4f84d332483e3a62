"""Tests registration with email confirmation: before its code, an account owns nothing, not even its address."""

from dataclasses import replace
from typing import Any

import pytest

from server.auth.entities import AccountChange, OpenedAccount, SignedIn, Tokens, User, UserStatus
from server.auth.password_hashing import Passwords
from server.clinical.storage.patients import PatientRepository
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    AccountNotVerified,
    EmailNotConfirmed,
    EmailTaken,
    InvalidCredentials,
    OtpInvalid,
    RateLimitExceeded,
)
from server.identity import Role
from tests.fixtures.auth import PASSWORD, SEAL, Auth, an_application
from tests.fixtures.clock import SettableClock
from tests.fixtures.limits import BUDGETS
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

ADDRESS = "ann@example.org"
HOME, EVIL = "192.0.2.1", "203.0.113.66"


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords, confirms_email=True)
    await built.revocations.refresh()
    return built


async def registered(auth: Auth, role: Role = Role.PATIENT, email: str = ADDRESS) -> tuple[User, Tokens]:
    opened, tokens = await auth.accounts.register(an_application(role, email=email))
    return opened.user, tokens


async def mailed_code(auth: Auth, user: User) -> str:
    rows = await execute(auth.work, "SELECT sealed_code FROM emails WHERE recipient_id = $1 ORDER BY id", user.id)
    return SEAL.open(rows[-1][0], user.id)


async def confirm(auth: Auth, user: User, tokens: Tokens) -> User:
    return await auth.profiles.confirm_email(auth.caller(tokens), await mailed_code(auth, user))


async def may_act(auth: Auth, user: User, tokens: Tokens) -> bool:
    try:
        await auth.check(SignedIn(user, tokens), confirmed=True)
    except EmailNotConfirmed:
        return False
    return True


async def test_registered_account_before_its_code_sees_nothing(auth: Auth) -> None:
    user, tokens = await registered(auth)
    assert (user.email, user.email_confirmed, user.new_email) == (ADDRESS, False, ADDRESS)
    assert not await may_act(auth, user, tokens)
    await auth.check(SignedIn(user, tokens))  # Calls that are open to every signed-in account work.
    renewed = (await auth.sessions.refresh(tokens.refresh_token)).tokens
    with pytest.raises(OtpInvalid):
        await auth.profiles.confirm_email(auth.caller(tokens), "abcdef")
    confirmed = await confirm(auth, user, tokens)
    assert confirmed.email_confirmed_at is not None
    expected = replace(user, email_confirmed=True, new_email="", email_confirmed_at=confirmed.email_confirmed_at)
    assert confirmed == expected
    assert await may_act(auth, user, tokens)
    assert await may_act(auth, user, renewed)
    await auth.sessions.login(ADDRESS, PASSWORD)


async def test_the_code_comes_with_the_welcome(auth: Auth) -> None:
    user, _ = await registered(auth)
    asked = "SELECT kind, recipient, sealed_code IS NOT NULL, expires_at - created_at FROM emails"
    mails = await execute(auth.work, asked)
    assert [tuple(mail[:3]) for mail in mails] == [("welcome", user.email, True)]
    assert mails[0][3].total_seconds() == 600


async def test_a_memory_that_is_stale_refuses_too(auth: Auth, clock: SettableClock) -> None:
    user, tokens = await registered(auth)
    clock.forward(seconds=10)
    assert not await may_act(auth, user, tokens)


async def test_staff_need_their_code_and_their_licence(auth: Auth) -> None:
    user, tokens = await registered(auth, Role.DOCTOR)
    signed_in = SignedIn(user, tokens)
    await auth.accounts.verify(user.id)
    with pytest.raises(EmailNotConfirmed):
        await auth.check(signed_in, confirmed=True, verified=True)
    await confirm(auth, user, tokens)
    await auth.check(signed_in, confirmed=True, verified=True)
    other, others = await registered(auth, Role.DOCTOR, "other@example.org")
    await confirm(auth, other, others)
    with pytest.raises(AccountNotVerified):
        await auth.check(SignedIn(other, others), confirmed=True, verified=True)


async def test_accounts_made_by_others_need_no_code(auth: Auth) -> None:
    for role in Role:
        user = (await auth.accounts.create_user(an_application(role))).user
        signed_in = await auth.sign_in(user)
        await auth.check(signed_in, confirmed=True, verified=True)
        assert user.email_confirmed


async def test_invited_owner_after_setting_password_by_code_may_act(auth: Auth) -> None:
    user = (await auth.accounts.create_user(replace(an_application(), password=None))).user
    await auth.passwords.forgot(user.email)
    await auth.passwords.reset(user.email, await mailed_code(auth, user), "a fresh start, 2041")
    await auth.check(await auth.sessions.login(user.email, "a fresh start, 2041"), confirmed=True)


def shape(opened: OpenedAccount, tokens: Tokens) -> dict[str, Any]:
    """Returns the response without the fields that differ in each call."""
    user = opened.user
    whole = {name: getattr(user, name) for name in User.__slots__ if name not in ("id", "created_at")}
    return whole | {"record": opened.patient is not None, "tokens": [type(value) for value in vars_of(tokens)]}


def vars_of(tokens: Tokens) -> list[object]:
    return [tokens.access_token, tokens.refresh_token, tokens.expires_at]


async def test_register_taken_address_looks_free_and_notifies_owner(auth: Auth) -> None:
    free = shape(*await auth.accounts.register(an_application(email=ADDRESS)))
    owner = (await auth.accounts.create_user(an_application(email=ADDRESS))).user
    before = await execute(auth.work, "SELECT count(*) FROM one_time_codes")
    opened, tokens = await auth.accounts.register(an_application(email=ADDRESS.upper()))
    assert shape(opened, tokens) == free
    assert await execute(auth.work, "SELECT count(*) FROM one_time_codes") == [(before[0][0] + 1,)]
    await auth.check(SignedIn(opened.user, tokens))
    assert not await may_act(auth, opened.user, tokens)
    mails = await execute(auth.work, "SELECT kind, recipient_id FROM emails ORDER BY id DESC LIMIT 1")
    assert [tuple(mail) for mail in mails] == [("address_taken", owner.id)]
    assert await auth.accounts.get(owner.id) == owner


async def test_sign_in_before_code_is_rejected_for_free_or_taken_email(
    auth: Auth,
) -> None:
    await registered(auth)
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login(ADDRESS, PASSWORD)
    owned = replace(an_application(email="owner@example.org"), password="a fresh start, 2041")
    await auth.accounts.create_user(owned)
    await registered(auth, email="owner@example.org")
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login("owner@example.org", PASSWORD)
    await auth.sessions.login("owner@example.org", "a fresh start, 2041")


async def test_first_confirmed_of_registrations_owns_the_address(auth: Auth) -> None:
    (one, its_tokens), (other, other_tokens) = await registered(auth), await registered(auth)
    await confirm(auth, other, other_tokens)
    with pytest.raises(EmailTaken):
        await confirm(auth, one, its_tokens)
    assert (await auth.sessions.login(ADDRESS, PASSWORD)).user.id == other.id


@control("S11")
@pytest.mark.parametrize("owned", [True, False])
async def test_address_gets_five_codes_a_day_from_any_caller(
    work: UnitOfWork, clock: SettableClock, passwords: Passwords, owned: bool
) -> None:
    auth = Auth.build(work, clock.clock, passwords, confirms_email=True, budgets=BUDGETS)
    if owned:
        await auth.open(email=ADDRESS)
    strangers = [await registered(auth, email=ADDRESS.upper()) for _ in range(5)]
    before = await execute(auth.work, "SELECT count(*) FROM emails")
    with pytest.raises(RateLimitExceeded) as refused:
        await registered(auth)
    assert (refused.value.metadata, refused.value.retry_after) == ({"limit": "confirmation"}, 86400 / 5)
    with pytest.raises(RateLimitExceeded):
        asked = AccountChange(email=ADDRESS, current_password=PASSWORD)
        await auth.profiles.update(auth.caller(strangers[0][1]), asked, HOME)
    assert await execute(auth.work, "SELECT count(*) FROM emails") == before
    await registered(auth, email="other@example.org")


@control("S91")
async def test_strangers_registering_an_address_do_not_block_owner(
    work: UnitOfWork, clock: SettableClock, passwords: Passwords
) -> None:
    auth = Auth.build(work, clock.clock, passwords, confirms_email=True, budgets=BUDGETS)
    owner = await auth.open()
    for _ in range(5):
        await registered(auth)
    asked = AccountChange(email=ADDRESS, current_password=PASSWORD)
    tokens = (await auth.sign_in(owner)).tokens
    assert (await auth.profiles.update(auth.caller(tokens), asked, HOME)).new_email == ADDRESS
    ((sealed,),) = await execute(auth.work, "SELECT sealed_code FROM emails WHERE kind = 'email_code'")
    assert (await auth.profiles.confirm_email(auth.caller(tokens), SEAL.open(sealed, owner.id))).email == ADDRESS


async def test_lost_code_is_resent_when_address_is_entered_again(auth: Auth) -> None:
    user, tokens = await registered(auth)
    old = await mailed_code(auth, user)
    asked = AccountChange(email=ADDRESS, current_password=PASSWORD)
    await auth.profiles.update(auth.caller(tokens), asked, HOME)
    new = await mailed_code(auth, user)
    if old != new:
        with pytest.raises(OtpInvalid):
            await auth.profiles.confirm_email(auth.caller(tokens), old)
    assert (await confirm(auth, user, tokens)).email_confirmed
    kinds = await execute(auth.work, "SELECT kind FROM emails WHERE recipient_id = $1 ORDER BY id", user.id)
    assert [kind for (kind,) in kinds] == ["welcome", "email_code"]  # No notice goes to a stranger.


async def test_a_forgotten_password_is_nobodys_before_the_address_is(auth: Auth) -> None:
    await registered(auth)
    await auth.passwords.forgot(ADDRESS)
    assert await execute(auth.work, "SELECT count(*) FROM emails WHERE kind = 'password_reset'") == [(0,)]


async def test_unconfirmed_claim_to_an_address_does_not_affect_owner(auth: Auth) -> None:
    """Checks that the stranger's failures do not count for the owner, successes do not reset, and no notice is sent."""
    owner = (await auth.accounts.create_user(an_application(email=ADDRESS))).user
    user, tokens = await registered(auth)
    for _ in range(4):
        with pytest.raises(InvalidCredentials):
            await auth.sessions.login(ADDRESS, "wrong horse battery", EVIL)
    await auth.passwords.change(auth.caller(tokens), PASSWORD, "a fresh start, 2041", EVIL)
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login(ADDRESS, "wrong horse battery", EVIL)
    with pytest.raises(RateLimitExceeded):
        await auth.sessions.login(ADDRESS, PASSWORD, EVIL)
    told = await execute(auth.work, "SELECT kind FROM emails WHERE recipient = $1 ORDER BY id", ADDRESS)
    assert [kind for (kind,) in told] == ["welcome", "address_taken"]
    assert (await auth.accounts.get(owner.id)).status is UserStatus.ACTIVE
    assert user.id != owner.id


async def test_record_with_unconfirmed_address_shows_and_gets_nothing(auth: Auth) -> None:
    user, tokens = await registered(auth)
    async with auth.work.read() as tx:
        assert (await tx[PatientRepository].by_user(user.id)).email == ""
    await confirm(auth, user, tokens)
    async with auth.work.read() as tx:
        assert (await tx[PatientRepository].by_user(user.id)).email == ADDRESS
