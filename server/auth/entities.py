"""Entities of accounts and sessions, for rules and services."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from server.audit.audit_context import Subject
from server.identity import Role
from server.patient_details import PatientDetails, PatientRecord


class UserStatus(StrEnum):
    """The status of an account; it decides whether the account may act."""

    ACTIVE = "active"
    UNVERIFIED = "unverified"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class User:
    """An account, without its password."""

    id: UUID
    email: str
    """The account's address, or the one that waits for its code if there is none yet; empty if it was detached."""
    email_confirmed: bool
    """Whether the address belongs to the account: it is unique among accounts, and the account can sign in with it."""
    new_email: str
    """The address that waits for confirmation by a code; empty if there is none."""
    full_name: str
    phone: str
    role: Role
    status: UserStatus
    license_number: str
    license_issuer: str
    """The authority that issued the licence; empty if not given."""
    specialization: str
    hospital_name: str
    pharmacy_name: str
    pharmacy_address: str
    created_at: datetime
    email_confirmed_at: datetime | None = None
    """The time at which the owner of the address showed that the mailbox is theirs; None for an address that another
    person entered, to which no health data is sent."""

    @property
    def sign_in_name(self) -> str:
        """The key for counting wrong passwords; never an unconfirmed address, which may be another account's."""
        return self.email if self.email_confirmed else str(self.id)

    @property
    def subject(self) -> Subject:
        """The subject of audit records about the account."""
        return Subject("account", self.id)


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Accounts and workplaces that an admin could take for those of an account that waits for verification."""

    accounts: tuple[User, ...]
    """Other accounts of doctors and pharmacists with the same name, or one that looks the same."""
    workplaces: tuple[str, ...]
    """Names of other organisations that look the same as that of the workplace."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account with its password hash."""

    user: User
    password_hash: str | None
    """None: the owner has not set a password yet, so signing in is not possible."""
    has_second_factor: bool
    """Whether signing in needs a second factor too."""
    reset_allowed: bool
    """Whether an admin currently allows that an emailed code alone sets a new password."""


@dataclass(frozen=True, slots=True)
class Application:
    """The data of a request for an account; texts that were not given are empty."""

    email: str
    password: str | None
    full_name: str
    phone: str
    role: Role
    license_number: str
    license_issuer: str
    specialization: str
    hospital_name: str
    pharmacy_name: str
    pharmacy_address: str
    patient: PatientDetails
    """Filled only in a patient's application."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be stored; fields that do not belong to its role are empty."""

    email: str
    """In lower case."""
    password_hash: str | None
    """None: the owner sets a password by means of the welcome email."""
    full_name: str
    phone: str
    role: Role
    status: UserStatus
    license_number: str = ""
    license_issuer: str = ""
    specialization: str = ""
    hospital_name: str = ""
    pharmacy_name: str = ""
    pharmacy_address: str = ""
    email_confirmed: bool = True
    """False: the address waits for confirmation by a code."""
    owner_confirmed: bool = False
    """True: the owner entered the address, and no code is required."""
    created_by: UUID | None = None
    """The admin who created the account; None if its owner registered."""


@dataclass(frozen=True, slots=True)
class AccountChange:
    """The changes that users request to their own account; fields that are None and not in `clear` do not change."""

    phone: str | None = None
    hospital_name: str | None = None
    pharmacy_name: str | None = None
    pharmacy_address: str | None = None
    email: str | None = None
    """Requires `current_password`."""
    current_password: str = field(default="", repr=False)
    clear: frozenset[str] = frozenset()
    """Fields to empty, by their JSON names."""


@dataclass(frozen=True, slots=True)
class OpenedAccount:
    """A new account, and the new patient record if it is a patient's account."""

    user: User
    patient: PatientRecord | None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """The filter of a list of accounts; None matches all."""

    role: Role | None
    status: UserStatus | None
    search: str | None
    """An email address, or prefixes of words of the name."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that a sign-in or a refresh returns."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    """The time when the access token expires."""
    idle: timedelta
    """How long the session lasts unless a person acts."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A signed-in account and its tokens."""

    user: User
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class SignInOrigin:
    """The origin of a sign-in; texts that are unknown are empty."""

    device: str
    """The device or program in words."""
    address: str
    """The client address."""


class DeactivationReason(StrEnum):
    """Why an account is deactivated."""

    LEFT = "left"
    LICENCE_WITHDRAWN = "licence_withdrawn"
    ACCOUNT_STOLEN = "account_stolen"


class EndReason(StrEnum):
    """Why an admin ends the sessions of an account."""

    DEVICE_LOST = "device_lost"
    MISUSE_SUSPECTED = "misuse_suspected"
    LEFT_SIGNED_IN = "left_signed_in"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that has not ended, as its owner and admins see it."""

    id: UUID
    device: str
    """Empty if it is unknown, as the address."""
    address: str
    """The client address of the sign-in, or of the last refresh after a person acted."""
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    """The time when the session ends unless it is used before."""


@dataclass(frozen=True, slots=True)
class SessionRights:
    """The rights of the account of a session that has not ended."""

    status: UserStatus
    email_confirmed: bool
    organisation_id: UUID | None
    """The organisation for which the session acts; None if the account is a member of none."""


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """The state of a refresh token that a client sent, by the database's clock."""

    session_id: UUID
    user: User
    organisation_id: UUID | None
    """The organisation for which the session acts."""
    read_at: datetime
    """The time of this state."""
    session_ends: datetime
    """The absolute end of the session."""
    idle_end: datetime
    """The time when the token expires; if it was used and can be sent again, that of the next one."""
    session_open: bool
    """The session is neither revoked nor past its absolute end."""
    used: bool
    idle_too_long: bool
    """The token was not used in time and has expired."""
    repeatable: bool
    """The token was used within REPEAT_WINDOW and its successor was not: the response may have been lost."""


class FactorKind(StrEnum):
    """The kind of a second factor."""

    TOTP = "totp"


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A second factor as its owner sees it."""

    id: UUID
    kind: FactorKind
    label: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class AppSecret:
    """The secret of an authenticator app, sealed."""

    factor_id: UUID
    sealed: bytes = field(repr=False)
    last_step: int | None
    """The time step of the last code that was used."""


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """The second factors of an account."""

    factors: tuple[SecondFactor, ...]
    recovery_codes_left: int
    required: bool
    """Whether the account must have a second factor."""
    required_from: datetime | None
    """The time from which it can do nothing without one; None unless it must have one and has none."""


@dataclass(frozen=True, slots=True)
class NewApp:
    """The values that an authenticator app needs; shown once."""

    factor_id: UUID
    secret: str = field(repr=False)
    """In base32."""
    address: str = field(repr=False)
    """The `otpauth:` address."""


@dataclass(frozen=True, slots=True)
class FactorState:
    """An account's second factor, as a session and the policy see it."""

    enrolled: bool
    fresh: bool
    """Whether it was verified in the session within FRESH_FOR."""
    without_for: timedelta
    """The time since the grace time of an account without a factor began."""
