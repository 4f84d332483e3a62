"""Loads the records that emails are about: one statement for each kind of record, however many emails there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from server.auth.entities import User
from server.auth.storage.accounts import AccountRepository
from server.clinical.entities import Patient, Prescription
from server.clinical.storage.patients import PatientRepository
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.db.unit_of_work import Transaction
from server.errors import NotFound
from server.mailer.entities import ClaimedEmail, Dispense, Workplace
from server.mailer.storage.dispenses import DispenseRepository
from server.mailer.storage.workplaces import WorkplaceRepository
from server.outbox.entities import EmailKind

T = TypeVar("T")

OF_PRESCRIPTIONS: Final = frozenset(
    {
        EmailKind.PRESCRIPTION,
        EmailKind.DISPENSED,
        EmailKind.REJECTED,
        EmailKind.CLOSED,
        EmailKind.CANCELLED,
        EmailKind.SUSPENDED,
    }
)
"""The kinds of email that name a prescription."""
STOPPED_BY_PHARMACIES: Final = frozenset({EmailKind.REJECTED, EmailKind.CLOSED})
"""The kinds of email about what a pharmacy decided."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records found, by their ids. The methods raise NotFound, or LookupError, for one that is gone."""

    accounts: Mapping[UUID, User]
    prescriptions: Mapping[UUID, Prescription]
    patients: Mapping[UUID, Patient]
    patients_by_account: Mapping[UUID, Patient]
    dispenses: Mapping[tuple[UUID, UUID], Dispense]
    """By prescription and entry in the pharmacies' log."""
    hospitals: Mapping[UUID, Workplace]
    """Those of the doctors who wrote the prescriptions, by prescription."""
    pharmacies: Mapping[UUID, Workplace]
    """Those that rejected or closed the prescriptions, by prescription."""

    def recipient(self, mail: ClaimedEmail) -> User:
        """Returns the account to which an email is sent."""
        return _required(self.accounts.get(mail.recipient_id), "account")

    def prescription(self, mail: ClaimedEmail) -> Prescription:
        """Returns the prescription that an email is about."""
        if mail.prescription_id is None:
            raise ValueError(f"an email of kind {mail.kind.value} must name a prescription")
        return _required(self.prescriptions.get(mail.prescription_id), "prescription")

    def patient_of(self, prescription: Prescription) -> Patient:
        """Returns the record of a prescription's patient."""
        return _required(self.patients.get(prescription.patient_id), "patient")

    def patient_with(self, account: User) -> Patient:
        """Returns the record of the patient with this account."""
        return _required(self.patients_by_account.get(account.id), "patient")

    def dispense(self, mail: ClaimedEmail, prescription: Prescription) -> Dispense:
        """Returns the dispense that an email reports."""
        log_id = UUID(mail.details["log_id"])
        found = self.dispenses.get((prescription.id, log_id))
        if found is None:
            raise LookupError(f"log entry {log_id} has no dispensed lines")
        return found


async def load(tx: Transaction, mails: Sequence[ClaimedEmail]) -> Records:
    """Returns the records that these emails are about, without those that do not exist."""
    accounts = await tx[AccountRepository].by_ids({mail.recipient_id for mail in mails})
    named = {mail.prescription_id for mail in mails if mail.kind in OF_PRESCRIPTIONS and mail.prescription_id}
    prescriptions = await tx[PrescriptionRepository].by_ids(named) if named else {}
    patient_ids = {found.patient_id for found in prescriptions.values()}
    welcomed = {mail.recipient_id for mail in mails if mail.kind is EmailKind.WELCOME}
    stopped = {mail.prescription_id for mail in mails if mail.kind in STOPPED_BY_PHARMACIES and mail.prescription_id}
    log_ids = {log_id for mail in mails if mail.kind is EmailKind.DISPENSED for log_id in _log_ids(mail)}
    return Records(
        accounts,
        prescriptions,
        await tx[PatientRepository].by_ids(patient_ids) if patient_ids else {},
        await tx[PatientRepository].by_users(welcomed) if welcomed else {},
        await tx[DispenseRepository].by_log_ids(log_ids) if log_ids else {},
        await tx[WorkplaceRepository].hospitals(named) if named else {},
        await tx[WorkplaceRepository].pharmacies(stopped) if stopped else {},
    )


def _log_ids(mail: ClaimedEmail) -> tuple[UUID, ...]:
    """Returns the log entry that an email names; none if it is malformed, which must not disturb other emails."""
    try:
        return (UUID(mail.details["log_id"]),)
    except (LookupError, ValueError):
        return ()


def _required(found: T | None, noun: str) -> T:
    if found is None:
        raise NotFound(noun)
    return found
