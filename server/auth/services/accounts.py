"""Use cases of accounts: registering, creating, listing, verifying and deactivating them."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final
from uuid import UUID

from server import email_address
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import (
    Application,
    DeactivationReason,
    LookAlikes,
    NewAccount,
    OpenedAccount,
    Tokens,
    User,
    UserFilter,
    UserStatus,
)
from server.auth.events import UserRegistered
from server.auth.password_hashing import Passwords
from server.auth.rules.organisations import workplace_of
from server.auth.rules.passwords import check_new_password
from server.auth.rules.registration import check_application
from server.auth.rules.verification import VERIFIABLE, check_verifier, first_status
from server.auth.services.email_confirmation import EmailConfirmation
from server.auth.services.revocation_cache import RevocationCache
from server.auth.services.sessions import SessionService
from server.auth.services.staff_notices import notify_admins
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.admins import AdminRepository
from server.auth.storage.look_alikes import LookAlikeRepository
from server.auth.storage.organisations import OrganisationRepository
from server.auth.storage.sessions import SessionRepository
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import LastAdmin, OwnAccount
from server.events.storage.events import EventRepository
from server.identity import Caller, Role
from server.outbox.entities import EmailKind
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens
from server.patient_details import PatientDetails, PatientRecord

FIRST_ADMIN_NAME: Final = "Administrator"

NewPatient = Callable[[Transaction, UUID, str, str, PatientDetails], Awaitable[PatientRecord]]
"""Creates the patient record of a new account. Arguments: transaction, user id, full name, phone, details.

The clinical slice provides it.
"""

SuspendPrescriptions = Callable[[Transaction, UUID], Awaitable[None]]
"""Suspends the open prescriptions of a doctor's account. Arguments: transaction, user id.

The clinical slice provides it.
"""


AccountClosed = Callable[[Transaction, UUID], Awaitable[None]]
"""Ends what an account holds when it is deactivated, in the same transaction. The pharmacy slice provides it."""


class AccountService:
    """Implements the use cases of accounts.

    new_patient: creates the record of a patient's account. account_closed: ends the claims of a deactivated account.
    suspend_prescriptions: suspends those of a doctor. confirms_email: whether a self-registered account must confirm
    its address with a code (`REGISTRATION_CONFIRM_EMAIL`).
    """

    def __init__(
        self,
        work: UnitOfWork,
        passwords: Passwords,
        sessions: SessionService,
        page_tokens: PageTokens,
        new_patient: NewPatient,
        account_closed: AccountClosed,
        suspend_prescriptions: SuspendPrescriptions,
        revocations: RevocationCache,
        confirmation: EmailConfirmation,
        *,
        confirms_email: bool,
    ) -> None:
        self._work = work
        self._passwords = passwords
        self._sessions = sessions
        self._users = Listing[User, MomentAndId](
            page_tokens, "ListUsers", BY_MOMENT, lambda user: (user.created_at, user.id)
        )
        self._new_patient = new_patient
        self._account_closed = account_closed
        self._suspend_prescriptions = suspend_prescriptions
        self._revocations = revocations
        self._confirmation = confirmation
        self._confirms_email = confirms_email

    @staticmethod
    async def open(tx: Transaction, account: NewAccount) -> User:
        """Stores a new account; a confirmed address gets a welcome email. Raises EmailTaken."""
        user = await tx[AccountRepository].insert(account)
        await tx[EventRepository].record(UserRegistered(user, invited=account.password_hash is None))
        return user

    async def register(self, application: Application) -> tuple[OpenedAccount, Tokens]:
        """Creates the caller's own account and signs in; doctors and pharmacists wait for an admin's verification.

        With email confirmation on, registering a taken address looks successful: the account stays unconfirmed, no
        code is sent, and the real owner is notified. Raises ValidationFailed; without email confirmation EmailTaken,
        with it RateLimitExceeded if the address was entered too often.
        """
        waits = application.role in VERIFIABLE
        status = UserStatus.UNVERIFIED if waits else UserStatus.ACTIVE
        confirmed = not self._confirms_email
        account = replace(
            await self._account(application, status), email_confirmed=confirmed, owner_confirmed=confirmed
        )
        if self._confirms_email:
            await self._confirmation.admit(account.email, confirmed=False)
        async with self._work.begin() as tx:
            opened = await self._with_record(tx, await self.open(tx, account), application)
            if self._confirms_email:
                await self._confirmation.ask(tx, opened.user, EmailKind.WELCOME)
            else:
                await notify_admins(tx, opened.user)
            caller, tokens = await self._sessions.open(tx, opened.user)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_REGISTERED, _subject(opened), actor=caller)
        return opened, tokens

    async def create_user(self, application: Application, creator: UUID | None = None) -> OpenedAccount:
        """Creates an account for another person, verified at once and a member of the organisation that it names.

        creator: the admin who creates it; None outside calls. If there is another active admin, a doctor or pharmacist
        waits for that one's verification. Raises ValidationFailed, EmailTaken and LicenseTaken.
        """
        account = replace(await self._account(application, UserStatus.ACTIVE), created_by=creator)
        async with self._work.begin() as tx:
            if application.role in VERIFIABLE and creator is not None:
                account = replace(
                    account, status=first_status(creator, await tx[AccountRepository].active_admins_for_update())
                )
            opened = await self._with_record(tx, await self.open(tx, account), application)
            if opened.user.status is UserStatus.ACTIVE:
                await _join_workplace(tx, opened.user)
            await notify_admins(tx, opened.user)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_CREATED, _subject(opened))
        return opened

    async def current_user(self, caller: Caller) -> User:
        """Returns the caller's own account."""
        async with self._work.read() as tx:
            return await tx[AccountRepository].get(caller.user_id)

    async def list_users(self, caller: Caller, wanted: UserFilter, page: PageRequest) -> Page[User]:
        """Returns a page of accounts, newest first. Raises PageTokenInvalid."""
        query = self._users.query(caller, page, wanted.role, wanted.status, wanted.search)
        async with self._work.read() as tx:
            return query.page(*await tx[AccountRepository].newest(wanted, query.after, query.size))

    async def verify(self, user_id: UUID, verifier: UUID | None = None, license_issuer: str = "") -> User:
        """Marks a doctor's or pharmacist's licence and workplace as checked; repeating it changes nothing.

        The account becomes a member of the organisation that its workplace names, unless it is a member of any.
        verifier: the admin who verifies it; None outside calls. license_issuer: the authority that issued the licence
        as the verifier found it; empty: as the account states it. Raises NotFound, also for other roles and deactivated
        accounts, SecondAdminRequired, and LicenseTaken if another active account has the licence.
        """
        async with self._work.begin() as tx:
            admins = await tx[AccountRepository].active_admins_for_update()
            check_verifier(verifier, await tx[AdminRepository].creator_of_waiting(user_id), admins)
            user = await tx[AccountRepository].get(user_id)
            user = await tx[AccountRepository].verify(
                replace(user, license_issuer=license_issuer or user.license_issuer)
            )
            await _join_workplace(tx, user)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_VERIFIED, user.subject, reason=license_issuer)
        return user

    async def get(self, user_id: UUID) -> User:
        """Returns an account. Raises NotFound."""
        async with self._work.read() as tx:
            return await tx[AccountRepository].read(user_id)

    async def look_alikes(self, user: User) -> LookAlikes | None:
        """Returns what looks the same as an account that waits for verification; None if nothing does."""
        if user.status is not UserStatus.UNVERIFIED:
            return None
        async with self._work.read() as tx:
            found = await tx[LookAlikeRepository].of(user, workplace_of(user))
        return found if found.accounts or found.workplaces else None

    async def deactivate(
        self, caller: Caller, user_id: UUID, reason: DeactivationReason = DeactivationReason.LEFT
    ) -> User:
        """Deactivates an account, and ends its sessions and its claims on prescriptions; repeating it changes nothing.

        Unless the person left, the open prescriptions of a doctor are suspended: they may be forged.
        Raises OwnAccount, LastAdmin and NotFound.
        """
        if user_id == caller.user_id:
            raise OwnAccount()
        async with self._work.begin() as tx:
            if await tx[AccountRepository].active_admins_for_update() == {user_id}:
                raise LastAdmin()
            user = await tx[AccountRepository].deactivate(user_id)
            ended = await tx[SessionRepository].end_all(user_id)
            await self._account_closed(tx, user_id)
            if reason is not DeactivationReason.LEFT:
                await self._suspend_prescriptions(tx, user_id)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_DEACTIVATED, user.subject, reason=reason.value)
        self._revocations.revoked(*ended)
        return user

    async def reactivate(self, user_id: UUID) -> User:
        """Restores the former status of a deactivated account; other accounts do not change.

        Raises NotFound, also for an account whose address was detached, and LicenseTaken.
        """
        async with self._work.begin() as tx:
            user = await tx[AccountRepository].reactivate(user_id)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_REACTIVATED, user.subject)
        self._revocations.reopened(user_id)
        return user

    async def ensure_first_admin(self, email: str, password: str | None) -> str | None:
        """Creates an admin if there is none; of concurrent processes, only one does.

        Returns the password if one was generated: show it to the person who started the server, because it cannot be
        read again. Raises ValidationFailed for an invalid password and EmailTaken for a taken address.
        """
        async with self._work.read() as tx:
            if await tx[AdminRepository].any_exists():
                return None
        chosen = password or secrets.token_urlsafe(15)
        check_new_password(chosen, email)
        admin = NewAccount(
            email=email_address.normal(email),
            password_hash=await self._passwords.hash(chosen),
            full_name=FIRST_ADMIN_NAME,
            phone="",
            role=Role.ADMIN,
            status=UserStatus.ACTIVE,
        )
        async with self._work.begin() as tx:
            await tx[AdminRepository].lock_first()
            if await tx[AdminRepository].any_exists():
                return None
            user = await tx[AccountRepository].insert(admin)
            await tx[AuditWriter].record(AuditEvent.ACCOUNT_CREATED, user.subject)
        return None if password else chosen

    async def _account(self, application: Application, status: UserStatus) -> NewAccount:
        check_application(application)
        password = application.password
        if password is not None:
            check_new_password(password, application.email, application.full_name)
        return NewAccount(
            email=email_address.normal(application.email),
            password_hash=None if password is None else await self._passwords.hash(password),
            full_name=application.full_name,
            phone=application.phone,
            role=application.role,
            status=status,
            license_number=application.license_number,
            license_issuer=application.license_issuer,
            specialization=application.specialization,
            hospital_name=application.hospital_name,
            pharmacy_name=application.pharmacy_name,
            pharmacy_address=application.pharmacy_address,
        )

    async def _with_record(self, tx: Transaction, user: User, application: Application) -> OpenedAccount:
        if user.role is not Role.PATIENT:
            return OpenedAccount(user, patient=None)
        record = await self._new_patient(tx, user.id, user.full_name, user.phone, application.patient)
        return OpenedAccount(user, record)


async def _join_workplace(tx: Transaction, user: User) -> None:
    """Makes a verified account a member of the organisation that its free text names, if it names one."""
    workplace = workplace_of(user)
    if workplace is not None:
        await tx[OrganisationRepository].join(user.id, workplace)


def _subject(opened: OpenedAccount) -> Subject:
    patient_ids = () if opened.patient is None else (opened.patient.id,)
    return Subject("account", opened.user.id, patient_ids)
