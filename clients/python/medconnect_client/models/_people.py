"""Accounts and patients."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Role(StrEnum):
    """What an account is."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    PHARMACIST = "pharmacist"
    ADMIN = "admin"
    UNKNOWN = "unknown"
    """One that this client does not know."""


class UserStatus(StrEnum):
    """Whether an account may act."""

    ACTIVE = "active"
    UNVERIFIED = "unverified"
    """Signs in, and does nothing until an admin has checked the licence."""
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"
    """One that this client does not know."""


class Gender(StrEnum):
    """A person's gender as the record states it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"
    """One that this client does not know."""


@dataclass(frozen=True, slots=True)
class User:
    """An account. Texts that do not belong to its role, or were not given, are empty."""

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
    """Whether the address is the account's own."""
    new_email: str
    """The address that waits for its mailed code; empty if none does."""


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """The record that belongs to a patient's account."""

    id: str
    """The patient's id; not the account's."""
    reference_number: str
    """`PAT-YYYYMMDD-XXXXXXXX`, to be given at a pharmacy."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that was made, and for a patient the record with it."""

    user: User
    patient: PatientRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    """Whose account to make. What does not belong to the role stays None."""

    email: str
    full_name: str
    role: Role = Role.PATIENT
    password: str | None = field(default=None, repr=False)
    """8 to 128 characters; an admin may leave it out: its owner sets one through the welcome mail."""
    phone: str | None = None
    license_number: str | None = None
    """Required of doctors and pharmacists."""
    specialization: str | None = None
    hospital_name: str | None = None
    pharmacy_name: str | None = None
    """Required of pharmacists."""
    pharmacy_address: str | None = None
    date_of_birth: date | None = None
    gender: Gender | None = None
    blood_type: str | None = None
    """One of A+ A- B+ B- AB+ AB- O+ O-."""
    address: str | None = None
    emergency_contact: str | None = None
    emergency_phone: str | None = None
    insurance_provider: str | None = None
    insurance_number: str | None = None
    allergies: tuple[str, ...] = ()
    existing_conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """What to change in one's own account; what is left out stays. What does not belong to the role stays None."""

    phone: str | None = None
    hospital_name: str | None = None
    pharmacy_name: str | None = None
    pharmacy_address: str | None = None
    email: str | None = None
    """Becomes the account's address when the code that is mailed to it is entered."""
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
    """The key itself, base64url."""
    kid: str
    use: str
    alg: str


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """A line of a list of patients: enough to tell two people apart."""

    id: str
    reference_number: str
    full_name: str
    date_of_birth: date | None


@dataclass(frozen=True, slots=True)
class PatientProfile:
    """A record as its patient sees it. Texts that were not given are empty."""

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
    """Empty: not recorded, which does not mean that there are none."""
    version: int
    """Grows by one with each change."""
    created_at: datetime
    updated_at: datetime


class PatientEmailStatus(StrEnum):
    """Whether a patient can be emailed."""

    REACHABLE = "reachable"
    NO_ADDRESS = "no_address"
    """The patient has no confirmed email address."""
    ACCOUNT_DEACTIVATED = "account_deactivated"
    """The patient's account is deactivated; no email goes to it."""
    UNKNOWN = "unknown"
    """One that this client does not know."""


@dataclass(frozen=True, slots=True)
class Patient(PatientProfile):
    """The whole record, as doctors see it."""

    existing_conditions: tuple[str, ...]
    email_status: PatientEmailStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPatient:
    """Whose record to make."""

    full_name: str
    date_of_birth: date
    gender: Gender
    email: str | None = None
    """None: there is no account and no mail."""
    phone: str | None = None
    blood_type: str | None = None
    """One of A+ A- B+ B- AB+ AB- O+ O-."""
    address: str | None = None
    emergency_contact: str | None = None
    emergency_phone: str | None = None
    insurance_provider: str | None = None
    insurance_number: str | None = None
    allergies: tuple[str, ...] = ()
    existing_conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanges:
    """What to change in a record; what is left out stays. A list that is given replaces the old one."""

    phone: str | None = None
    date_of_birth: date | None = None
    gender: Gender | None = None
    blood_type: str | None = None
    address: str | None = None
    emergency_contact: str | None = None
    emergency_phone: str | None = None
    insurance_provider: str | None = None
    insurance_number: str | None = None
    allergies: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    """Fields to empty, by their JSON names, such as `bloodType`."""
    version: int | None = None
    """Refused with VersionConflict if the record has another version by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientChanges(ProfileChanges):
    """What a doctor may change in a record."""

    full_name: str | None = None
    email: str | None = None
    """Only where the record has none yet: this makes the account."""
    existing_conditions: tuple[str, ...] = ()
