"""Accounts and patients."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from medconnect_client.models._identity import (
    AllergiesAsked,
    AllergyStatus,
    IdentificationDocument,
    PatientAssurance,
    PatientIdentification,
)


class Role(StrEnum):
    """The role of an account."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    PHARMACIST = "pharmacist"
    ADMIN = "admin"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


class UserStatus(StrEnum):
    """The status of an account."""

    ACTIVE = "active"
    UNVERIFIED = "unverified"
    """The account can sign in, but do nothing else until an admin has verified the licence."""
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


class Gender(StrEnum):
    """A person's gender as the record states it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class User:
    """An account. Texts that do not apply to its role or were not given are empty."""

    id: str
    email: str
    full_name: str
    role: Role
    phone: str
    status: UserStatus
    license_number: str
    specialization: str
    hospital_name: str
    pharmacy_name: str
    pharmacy_address: str
    created_at: datetime
    email_confirmed: bool
    """Whether the owner has confirmed the address."""
    new_email: str
    """The new address, until it is confirmed with the emailed code; empty if there is none."""
    license_issuer: str | None
    """The authority that issued the licence; None if not given."""


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Accounts and workplaces that an admin could take for those of an account that waits for verification."""

    accounts: tuple[User, ...]
    """Other accounts of doctors and pharmacists with the same name, or one that looks the same; at most 20."""
    workplaces: tuple[str, ...]
    """The names of other organisations that look the same as that of the workplace; at most 20."""


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """The patient record of a patient's account."""

    id: str
    """The id of the patient record, not of the account."""
    reference_number: str
    """`PAT-YYYYMMDD-XXXXXXXX`, for use at a pharmacy."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A new account, and the patient record if it is a patient's."""

    user: User
    patient: PatientRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _PatientDetails:
    """The details of a patient record that are never required."""

    phone: str | None = None
    blood_type: str | None = None
    """One of A+ A- B+ B- AB+ AB- O+ O-."""
    address: str | None = None
    emergency_contact: str | None = None
    emergency_phone: str | None = None
    insurance_provider: str | None = None
    insurance_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails(_PatientDetails):
    """The data of an account to create. Fields that do not apply to the role stay None."""

    email: str
    full_name: str
    role: Role = Role.PATIENT
    password: str | None = field(default=None, repr=False)
    """8 to 128 characters; an admin may omit it, and the owner sets one through the welcome email."""
    license_number: str | None = None
    """Required of doctors and pharmacists."""
    license_issuer: str | None = None
    """The authority that issued the licence; a licence belongs to one active account."""
    specialization: str | None = None
    hospital_name: str | None = None
    pharmacy_name: str | None = None
    """Required of pharmacists."""
    pharmacy_address: str | None = None
    date_of_birth: date | None = None
    gender: Gender | None = None
    allergies: tuple[str, ...] = ()
    existing_conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """Changes to the caller's account; omitted fields stay as they are. Fields of other roles stay None."""

    phone: str | None = None
    hospital_name: str | None = None
    pharmacy_name: str | None = None
    pharmacy_address: str | None = None
    email: str | None = None
    """Replaces the account's address once the code that is emailed to it has been confirmed."""
    current_password: str | None = field(default=None, repr=False)
    """Required with `email`."""
    clear: tuple[str, ...] = ()
    """Fields to empty, by their JSON names, such as `pharmacyAddress`."""


@dataclass(frozen=True, slots=True)
class JsonWebKey:
    """A public key that verifies access tokens (RFC 8037)."""

    kty: str
    crv: str
    x: str
    """The public key, base64url."""
    kid: str
    use: str
    alg: str


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """A patient in a list: enough data to tell two people apart."""

    id: str
    reference_number: str
    full_name: str
    date_of_birth: date | None
    assurance: PatientAssurance


@dataclass(frozen=True, slots=True)
class _PatientRecord:
    """A patient record, as the patient and doctors see it. Texts that were not given are empty."""

    id: str
    reference_number: str
    full_name: str
    email: str
    phone: str
    date_of_birth: date | None
    gender: Gender | None
    blood_type: str
    address: str
    emergency_contact: str
    emergency_phone: str
    insurance_provider: str
    insurance_number: str
    allergies: tuple[str, ...]
    """An empty list does not mean that there are none: `allergy_status` states what is known."""
    version: int
    """Grows by one with each change."""
    created_at: datetime
    updated_at: datetime
    assurance: PatientAssurance
    """Whether a member of staff has identified the person."""
    identification: PatientIdentification | None
    """None for a self-asserted record."""
    allergy_status: AllergyStatus
    allergies_asked: AllergiesAsked | None
    """None unless the patient was asked and has no known allergies."""


@dataclass(frozen=True, slots=True)
class PatientProfile(_PatientRecord):
    """A patient record, as the patient sees it. Texts that were not given are empty."""

    full_emails: bool
    """True if the patient asked for complete emails, with diagnosis and medicines."""


class EmailDetachReason(StrEnum):
    """The reason for which an email address is detached from a record."""

    WRONG_ADDRESS = "wrong_address"
    MAILBOX_LOST = "mailbox_lost"
    MAILBOX_SHARED = "mailbox_shared"
    PATIENT_ASKED = "patient_asked"
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class EmailDetachment:
    """An open request to detach an email address, which a second doctor must confirm."""

    reason: EmailDetachReason
    requested_by: str
    """The name of the doctor."""
    requested_by_caller: bool
    requested_at: datetime
    expires_at: datetime


class PatientEmailStatus(StrEnum):
    """The reason why a patient can or cannot be emailed."""

    REACHABLE = "reachable"
    NO_ADDRESS = "no_address"
    """The patient has no confirmed email address."""
    ACCOUNT_DEACTIVATED = "account_deactivated"
    """The patient's account is deactivated; no email goes to it."""
    UNKNOWN = "unknown"
    """A value that this client does not know."""


@dataclass(frozen=True, slots=True)
class Patient(_PatientRecord):
    """A patient record, as doctors see it."""

    existing_conditions: tuple[str, ...]
    email_status: PatientEmailStatus
    email_confirmed_at: datetime | None
    """None until the owner has confirmed the address: emails to it contain no health data."""
    email_detachment: EmailDetachment | None
    """None if no doctor has requested to detach the address."""
    identification_note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPatient(_PatientDetails):
    """The data of a patient record to create."""

    full_name: str
    date_of_birth: date
    gender: Gender
    email: str | None = None
    """None: the patient gets no account and no emails."""
    allergies: tuple[str, ...] = ()
    existing_conditions: tuple[str, ...] = ()
    document: IdentificationDocument | None = None
    """The evidence by which the doctor identified the person."""
    no_known_allergies: bool | None = None
    """True records that the patient was asked and has no known allergies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RecordChanges(_PatientDetails):
    """Changes to a patient record; fields that are None stay as they are. A given list replaces the old one.

    An empty list clears the old one, as its name in `clear` does.
    """

    allergies: tuple[str, ...] | None = None
    no_known_allergies: bool | None = None
    """True records that the patient was asked and has no known allergies; False makes them not recorded."""
    date_of_birth: date | None = None
    gender: Gender | None = None
    clear: tuple[str, ...] = ()
    """Fields to empty, by their JSON names, such as `bloodType`."""
    version: int | None = None
    """The version that the changes are based on; any other current version raises VersionConflict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanges(_RecordChanges):
    """Changes that patients may make to their own record."""

    full_emails: bool | None = None
    """True to get complete emails, with diagnosis and medicines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientChanges(_RecordChanges):
    """Changes that a doctor may make to a patient record."""

    full_name: str | None = None
    email: str | None = None
    """The address that the record has; any other raises FailedPrecondition: `bind_patient_email` binds one."""
    existing_conditions: tuple[str, ...] | None = None
