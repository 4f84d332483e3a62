"""Tests of the bond between a patient record and a mailbox, against the attacks that it must withstand."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from server.auth.entities import SignInOrigin, UserStatus
from server.auth.rules.lifetimes import Lifetimes
from server.auth.rules.one_time_codes import CodeScope, Purpose
from server.auth.services.email_changes import EmailChangeService
from server.auth.services.one_time_codes import CodeService
from server.auth.services.revocation_cache import RevocationCache
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.mailboxes import MailboxRepository
from server.auth.storage.sessions import SessionRepository
from server.clinical.entities import Patient, PatientChange
from server.clinical.patient_entities import EmailDetachReason
from server.errors import (
    EmailBindingRequired,
    EmailTaken,
    EmailUndoInvalid,
    NotFound,
    PatientHasEmail,
    PatientHasNoEmail,
)
from server.identity import Role
from server.mailer.outcome import Held, Sent
from server.mailer.storage.queue import EmailQueue
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from tests.fixtures.auth import SEAL, SECRET
from tests.fixtures.clinical import NO_DETAILS, Clinic

WRONG = EmailDetachReason.WRONG_ADDRESS
LIFETIME = Lifetimes(staff_idle=timedelta(minutes=30)).of(Role.PATIENT)
NOWHERE = SignInOrigin("", "")


async def account(clinic: Clinic, user_id: UUID | None) -> dict[str, Any]:
    (row,) = await clinic.execute("SELECT * FROM users WHERE id = :id", id=user_id)
    return dict(row)


async def recorded(clinic: Clinic, patient: Patient) -> list[str]:
    """Returns the events about the patient's email address, as the access log shows them."""
    rows = await clinic.execute(
        "SELECT event FROM audit_records WHERE :id = ANY(patient_ids) AND event LIKE '%email%' ORDER BY id",
        id=patient.id,
    )
    return [row["event"] for row in rows]


async def confirm(clinic: Clinic, patient: Patient) -> Patient:
    async with clinic.work.begin() as tx:
        assert patient.user_id is not None
        await tx[MailboxRepository].confirm(patient.user_id)
    return await clinic.patients.get(patient.id)


async def test_update_with_another_address_binds_nothing(clinic: Clinic) -> None:
    """A doctor's own mailbox on a record without an account would let the doctor sign in as the patient."""
    with pytest.raises(EmailBindingRequired) as refused:
        await clinic.patients.update(
            clinic.doctor, clinic.quiet.id, "doctors.own@example.org", PatientChange(address="1 Street")
        )
    assert refused.value.metadata == {"method": "BindPatientEmail"}
    unchanged = await clinic.patients.get(clinic.quiet.id)
    assert (unchanged.user_id, unchanged.address) == (None, "")
    with pytest.raises(EmailBindingRequired) as refused:
        await clinic.patients.update(clinic.doctor, clinic.paula.id, "doctors.own@example.org", PatientChange())
    assert refused.value.metadata == {"method": "DetachPatientEmail"}
    kept = await clinic.patients.update(
        clinic.doctor, clinic.paula.id, "PAULA@example.org", PatientChange(address="2 Street")
    )
    assert (kept.email, kept.address) == ("paula@example.org", "2 Street")


async def test_binding_is_shown_and_leaves_the_address_unconfirmed(clinic: Clinic) -> None:
    bound = await clinic.patient_emails.bind(clinic.doctor, clinic.quiet.id, "Quentin@Example.org")
    assert (bound.email, bound.email_confirmed_at) == ("quentin@example.org", None)
    assert await recorded(clinic, bound) == ["patient_email_bound"]
    with pytest.raises(PatientHasEmail):
        await clinic.patient_emails.bind(clinic.doctor, bound.id, "other@example.org")
    third = await clinic.patients.create(clinic.doctor, None, "Theo Third", "", NO_DETAILS)
    with pytest.raises(EmailTaken):
        await clinic.patient_emails.bind(clinic.doctor, third.id, bound.email)


async def test_mistyped_address_is_detached_with_all_that_it_gave(clinic: Clinic) -> None:
    paula = clinic.paula
    await clinic.prescribe()
    async with clinic.work.begin() as tx:
        user = await tx[AccountRepository].get(clinic.paula_caller.user_id)
        await tx[AccountRepository].replace_password_hash(user.id, "a hash")
        await tx[SessionRepository].open(clinic.paula_caller.session_id, user.id, b"h" * 32, LIFETIME, NOWHERE)
        await CodeService(SECRET, SEAL).issue(tx, CodeScope(user.id, Purpose.EMAIL_CONFIRMATION))
        claimed = await tx[EmailQueue].claim(10, 10)
    assert claimed
    detached = await clinic.patient_emails.detach(clinic.doctor, paula.id, WRONG)
    assert (detached.user_id, detached.email, detached.detachment) == (None, "", None)
    closed = await account(clinic, user.id)
    assert (closed["email"], closed["password_hash"], closed["status"]) == (None, None, "deactivated")
    assert not await clinic.execute(
        "SELECT FROM sessions WHERE user_id = :id AND revoked_at IS NULL"
        " UNION ALL SELECT FROM one_time_codes WHERE user_id = :id AND ended_at IS NULL"
        " UNION ALL SELECT FROM emails WHERE recipient_id = :id AND (finished_at IS NULL OR sealed_code IS NOT NULL)",
        id=user.id,
    )
    async with clinic.work.begin() as tx:  # the worker that had claimed them does not bring them back
        mine = [(mail, Sent()) for mail in claimed if mail.recipient_id == user.id]
        assert mine
        assert await tx[EmailQueue].record_outcomes(mine) == set()
        with pytest.raises(NotFound):
            await tx[AccountRepository].reactivate(user.id)
    assert await recorded(clinic, paula) == ["patient_email_detached"]
    rebound = await clinic.patient_emails.bind(clinic.doctor, paula.id, "paula@example.org")
    assert rebound.user_id not in (None, user.id)


async def test_confirmed_address_is_detached_by_two_doctors_only(clinic: Clinic) -> None:
    paula = await confirm(clinic, clinic.paula)
    for _ in range(2):  # repeating a call is not a second opinion
        waiting = await clinic.patient_emails.detach(clinic.doctor, paula.id, WRONG)
        assert waiting.email == paula.email
        assert waiting.detachment is not None
        assert waiting.detachment.requested_by == clinic.doctor.user_id
    notices = await clinic.execute(
        "SELECT FROM emails WHERE recipient_id = :id AND kind = 'email_detachment'", id=paula.user_id
    )
    assert len(notices) == 1
    gone = await clinic.patient_emails.detach(clinic.colleague, paula.id, WRONG)
    assert gone.user_id is None
    assert (await recorded(clinic, paula))[-1] == "patient_email_detached"
    with pytest.raises(PatientHasNoEmail):
        await clinic.patient_emails.detach(clinic.doctor, paula.id, WRONG)


async def test_expired_request_needs_a_new_one(clinic: Clinic) -> None:
    paula = await confirm(clinic, clinic.paula)
    await clinic.patient_emails.detach(clinic.doctor, paula.id, WRONG)
    await clinic.execute("UPDATE email_detachments SET expires_at = now() - interval '1 second'")
    waiting = await clinic.patient_emails.detach(clinic.colleague, paula.id, WRONG)
    assert waiting.detachment is not None
    assert waiting.detachment.requested_by == clinic.colleague.user_id


@pytest.mark.parametrize("ago", ["71 hours 59 minutes", "72 hours 1 minute"])
async def test_owner_of_the_former_address_undoes_a_change_once(clinic: Clinic, ago: str) -> None:
    paula = await confirm(clinic, clinic.paula)
    assert paula.user_id is not None
    changes = EmailChangeService(clinic.work, SEAL, RevocationCache(clinic.work, clinic.clock))
    async with clinic.work.begin() as tx:
        await tx[AccountRepository].replace_password_hash(paula.user_id, "the thief's")
        await tx[AccountRepository].await_email(paula.user_id, "thief@example.org")
        user = await tx[AccountRepository].confirm_email(paula.user_id)
        await changes.notify_former(tx, user, paula.email)
        await tx[Outbox].add(NewEmail(EmailKind.PASSWORD_CHANGED, user.id, user.email))
    (notice,) = await clinic.execute("SELECT recipient, sealed_code FROM emails WHERE kind = 'email_replaced'")
    assert notice["recipient"] == paula.email
    token = SEAL.open(notice["sealed_code"], user.id)
    await clinic.execute(f"UPDATE former_emails SET expires_at = expires_at - interval '{ago}'")  # noqa: S608
    if ago.startswith("72"):
        with pytest.raises(EmailUndoInvalid):
            await changes.undo(token)
        return
    await changes.undo(token)
    restored = await account(clinic, user.id)
    assert (restored["email"], restored["password_hash"]) == (paula.email, None)
    assert restored["status"] == UserStatus.ACTIVE
    assert not await clinic.execute("SELECT FROM emails WHERE recipient = 'thief@example.org' AND finished_at IS NULL")
    for used in (token, "x" * 43):
        with pytest.raises(EmailUndoInvalid):
            await changes.undo(used)


async def test_held_emails_follow_when_the_address_is_confirmed(clinic: Clinic) -> None:
    await clinic.prescribe()
    async with clinic.work.begin() as tx:
        claimed = await tx[EmailQueue].claim(10, 10)
        await tx[EmailQueue].record_outcomes([(mail, Held("ADDRESS_UNCONFIRMED")) for mail in claimed])
        assert await tx[EmailQueue].claim(10, 10) == ()
        assert await tx[EmailQueue].release_held() == 0
    await confirm(clinic, clinic.paula)
    async with clinic.work.begin() as tx:
        mine = {mail.id for mail in claimed if mail.recipient_id == clinic.paula.user_id}
        assert await tx[EmailQueue].release_held() == len(mine) > 0
        assert {mail.id for mail in await tx[EmailQueue].claim(10, 10)} == mine
