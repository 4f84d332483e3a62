"""Tests second factors: adding them, signing in with them, step-ups, and resets of passwords and factors."""

import json
from datetime import timedelta

import pytest

from server.auth.entities import User
from server.auth.password_hashing import Passwords
from server.auth.rules.second_factors import FactorPolicy
from server.db.unit_of_work import UnitOfWork
from server.errors import (
    ChallengeInvalid,
    InvalidCredentials,
    LastSecondFactor,
    NotFound,
    OtpInvalid,
    OwnAccount,
    PasswordResetNeedsAdmin,
    PasswordWrong,
    RateLimitExceeded,
    SecondFactorInvalid,
    SecondFactorMissing,
    SecondFactorRequired,
    StepUpRequired,
    Unauthenticated,
)
from server.identity import Role
from server.outbox.sealed_codes import CodeSeal
from tests.fixtures.auth import PASSWORD, SEAL, Auth
from tests.fixtures.clock import SettableClock
from tests.fixtures.factors import challenge_of, sign_in_with, with_app
from tests.fixtures.proofs import control
from tests.fixtures.sessions import execute

NEW = "a fine new battery staple"
STAFF = frozenset(Role) - {Role.PATIENT}
GRACE = timedelta(days=14)


@pytest.fixture
async def auth(work: UnitOfWork, clock: SettableClock, passwords: Passwords) -> Auth:
    built = Auth.build(work, clock.clock, passwords, policy=FactorPolicy(STAFF, GRACE))
    await built.revocations.refresh()
    return built


@pytest.fixture
async def doctor(auth: Auth) -> User:
    return await auth.open(Role.DOCTOR)


async def mailed_code(auth: Auth, user: User, seal: CodeSeal = SEAL) -> str:
    await auth.passwords.forgot(user.email)
    rows = await execute(
        auth.work, "SELECT sealed_code FROM emails WHERE kind = 'password_reset' AND recipient_id = $1", user.id
    )
    return seal.open(rows[-1]["sealed_code"], user.id)


@control("S99")
async def test_password_of_an_account_with_a_factor_opens_no_session(
    auth: Auth, doctor: User, clock: SettableClock
) -> None:
    app = await with_app(auth, doctor, clock)
    before = await execute(auth.work, "SELECT count(*) AS n FROM sessions WHERE user_id = $1", doctor.id)
    with pytest.raises(SecondFactorRequired) as required:
        await auth.sign_in(doctor)
    assert required.value.metadata["kinds"] == "totp"
    assert before == await execute(auth.work, "SELECT count(*) AS n FROM sessions WHERE user_id = $1", doctor.id)
    signed_in = await sign_in_with(auth, doctor, app)
    assert signed_in.user == doctor
    await auth.check(signed_in, verified=True, confirmed=True)
    with pytest.raises(InvalidCredentials):
        await auth.sessions.login(doctor.email, "wrong horse battery")


@control("S99")
async def test_codes_and_challenges_work_once(auth: Auth, doctor: User, clock: SettableClock) -> None:
    app = await with_app(auth, doctor, clock)
    challenge, code = await challenge_of(auth, doctor), app.next_code()
    await auth.second_step.complete(challenge, code)
    with pytest.raises(ChallengeInvalid):
        await auth.second_step.complete(challenge, app.next_code())
    again = await challenge_of(auth, doctor)
    with pytest.raises(SecondFactorInvalid):
        await auth.second_step.complete(again, code)
    recovery = app.recovery_codes[0]
    await auth.second_step.complete(again, recovery.lower().replace("-", ""))
    with pytest.raises(SecondFactorInvalid):
        await auth.second_step.complete(await challenge_of(auth, doctor), recovery)


@control("S99")
async def test_expired_and_overtaken_challenges_are_refused(auth: Auth, doctor: User, clock: SettableClock) -> None:
    app = await with_app(auth, doctor, clock)
    expired = await challenge_of(auth, doctor)
    await execute(auth.work, "UPDATE sign_in_challenges SET expires_at = now()")
    overtaken = await challenge_of(auth, doctor)
    code = await mailed_code(auth, doctor)
    await auth.passwords.reset(doctor.email, code, NEW, factor_code=app.next_code())
    for challenge in (expired, overtaken, "unknown"):
        with pytest.raises(ChallengeInvalid):
            await auth.second_step.complete(challenge, app.next_code())


@control("S99")
async def test_wrong_codes_delay_the_second_step_but_not_the_password(
    auth: Auth, doctor: User, clock: SettableClock
) -> None:
    app = await with_app(auth, doctor, clock)
    challenge = await challenge_of(auth, doctor, "192.0.2.1")
    for _ in range(5):
        with pytest.raises(SecondFactorInvalid):
            await auth.second_step.complete(challenge, app.wrong_code(), "192.0.2.1")
    with pytest.raises(RateLimitExceeded):
        await auth.second_step.complete(challenge, app.next_code(), "192.0.2.1")
    assert await challenge_of(auth, doctor, "192.0.2.1")  # a right password resets nothing of it
    with pytest.raises(RateLimitExceeded):
        await auth.second_step.complete(challenge, app.next_code(), "192.0.2.1")


async def test_app_needs_password_and_code_and_ends_other_sessions(
    auth: Auth, doctor: User, clock: SettableClock
) -> None:
    elsewhere, here = await auth.sign_in(doctor), await auth.sign_in(doctor)
    caller = auth.caller(here.tokens)
    with pytest.raises(PasswordWrong):
        await auth.second_factors.enrol_app(caller, "wrong horse battery", "", "")
    new = await auth.second_factors.enrol_app(caller, PASSWORD, "Phone", "")
    assert (await auth.second_factors.overview(caller)).factors == ()
    with pytest.raises(SecondFactorInvalid):
        await auth.second_factors.confirm_app(caller, new.factor_id, "000000", "")
    stored = await execute(auth.work, "SELECT sealed_secret FROM second_factors")
    assert new.secret.encode() not in stored[0]["sealed_secret"]
    app = await with_app(auth, doctor, clock)
    with pytest.raises(Unauthenticated):
        await auth.check(elsewhere)
    signed_in = auth.caller((await sign_in_with(auth, doctor, app)).tokens)
    found = await auth.second_factors.overview(signed_in)
    assert ([factor.label for factor in found.factors], found.recovery_codes_left) == (["Phone"], 10)
    assert (found.required, found.required_from) == (True, None)
    mails = await execute(auth.work, "SELECT details FROM emails WHERE kind = 'second_factor'")
    assert [json.loads(mail["details"])["change"] for mail in mails] == ["added"]


@control("S99")
async def test_staff_without_factor_is_refused_after_grace_time(auth: Auth, doctor: User, clock: SettableClock) -> None:
    caller = auth.caller((await auth.sign_in(doctor)).tokens)
    await auth.gate.check(caller, for_roles=True, step_up=False)
    await execute(auth.work, "UPDATE users SET factor_grace_since = now() - interval '14 days 1 s'")
    await auth.gate.check(caller, for_roles=True, step_up=False)  # found in the grace time within the last minute
    clock.forward(seconds=61)
    with pytest.raises(SecondFactorMissing):
        await auth.gate.check(caller, for_roles=True, step_up=False)
    await auth.gate.check(caller, for_roles=False, step_up=True)
    app = await with_app(auth, doctor, clock)
    await auth.gate.check(auth.caller((await sign_in_with(auth, doctor, app)).tokens), for_roles=True, step_up=False)
    patient = auth.caller((await auth.sign_in(await auth.open(Role.PATIENT))).tokens)
    await auth.gate.check(patient, for_roles=True, step_up=True)


@control("S99")
async def test_step_up_needs_a_verification_of_the_last_ten_minutes(
    auth: Auth, doctor: User, clock: SettableClock
) -> None:
    app = await with_app(auth, doctor, clock)
    caller = auth.caller((await sign_in_with(auth, doctor, app)).tokens)
    await auth.gate.check(caller, for_roles=True, step_up=True)
    await execute(auth.work, "UPDATE sessions SET factor_at = now() - interval '10 minutes'")
    with pytest.raises(StepUpRequired):
        await auth.gate.check(caller, for_roles=True, step_up=True)
    with pytest.raises(SecondFactorInvalid):
        await auth.second_factors.verify(caller, app.wrong_code(), "")
    await auth.second_factors.verify(caller, app.next_code(), "")
    await auth.gate.check(caller, for_roles=True, step_up=True)


async def test_required_last_factor_stays_and_an_offered_one_goes(
    auth: Auth, doctor: User, clock: SettableClock
) -> None:
    patient = await auth.open(Role.PATIENT)
    for user, kept in ((doctor, True), (patient, False)):
        app = await with_app(auth, user, clock)
        caller = auth.caller((await sign_in_with(auth, user, app)).tokens)
        (factor,) = (await auth.second_factors.overview(caller)).factors
        with pytest.raises(NotFound):
            await auth.second_factors.remove(caller, user.id)
        if kept:
            with pytest.raises(LastSecondFactor):
                async with auth.work.shared():
                    await auth.second_factors.remove(caller, factor.id)
            continue
        await auth.second_factors.remove(caller, factor.id)
        assert (await auth.second_factors.overview(caller)).recovery_codes_left == 0
        await auth.sign_in(user)
        with pytest.raises(SecondFactorMissing):
            await auth.second_factors.renew_recovery_codes(caller)


@control("S99")
async def test_emailed_code_alone_resets_no_password_of_staff(auth: Auth, doctor: User, clock: SettableClock) -> None:
    code = await mailed_code(auth, doctor)
    with pytest.raises(PasswordResetNeedsAdmin):
        await auth.passwords.reset(doctor.email, code, NEW)
    app = await with_app(auth, doctor, clock)
    for factor_code in ("", app.wrong_code()):
        with pytest.raises(SecondFactorInvalid):
            await auth.passwords.reset(doctor.email, code, NEW, factor_code=factor_code)
    with pytest.raises(OtpInvalid):
        await auth.passwords.reset(doctor.email, "x" + code[1:], NEW, factor_code=app.next_code())
    await auth.passwords.reset(doctor.email, code, NEW, factor_code=app.next_code())
    with pytest.raises(SecondFactorRequired):
        await auth.sessions.login(doctor.email, NEW)


async def test_patients_and_invited_staff_need_the_emailed_code_alone(auth: Auth, doctor: User) -> None:
    await execute(auth.work, "UPDATE users SET password_hash = NULL WHERE id = $1", doctor.id)
    for user in (doctor, await auth.open(Role.PATIENT)):
        await auth.passwords.reset(user.email, await mailed_code(auth, user), NEW)
        await auth.sessions.login(user.email, NEW)


async def test_admin_resets_factors_and_allows_one_new_password(auth: Auth, doctor: User, clock: SettableClock) -> None:
    app = await with_app(auth, doctor, clock)
    signed_in = await sign_in_with(auth, doctor, app)
    admin = auth.caller((await auth.sign_in(await auth.open(Role.ADMIN))).tokens)
    with pytest.raises(OwnAccount):
        await auth.second_factors.reset(admin, admin.user_id, allow_password_reset=True)
    assert await auth.second_factors.reset(admin, doctor.id, allow_password_reset=True) == 2
    with pytest.raises(Unauthenticated):
        await auth.check(signed_in)
    await auth.passwords.reset(doctor.email, await mailed_code(auth, doctor), NEW)
    with pytest.raises(PasswordResetNeedsAdmin):
        await auth.passwords.reset(doctor.email, await mailed_code(auth, doctor), PASSWORD)
