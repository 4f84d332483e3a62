"""Use cases of prescriptions: doctors create, list, read and cancel them; patients list theirs."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from uuid import UUID

from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.storage.accounts import AccountRepository
from server.clinical.entities import (
    NewPrescription,
    Prescription,
    PrescriptionStatus,
)
from server.clinical.events import (
    PrescriptionCancelled,
    PrescriptionCreated,
)
from server.clinical.rules import prescribing
from server.clinical.rules.identification import check_identified
from server.clinical.rules.reference_number import new_prescription_number
from server.clinical.rules.validity import later_validity
from server.clinical.services.controlled_medicines import ControlledMedicines
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.storage.prescription_lists import PrescriptionFilter, PrescriptionListRepository
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.clinical.storage.qr_codes import QrCodeRepository
from server.clinical.storage.suspensions import SuspensionRepository
from server.clock import Clock
from server.date_range import Period
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.events.storage.events import EventRepository
from server.identity import Caller
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens


class PrescriptionService:
    """The use cases of prescriptions.

    valid: how long a prescription may be dispensed unless its doctor states it. controlled: the medicines that need a
    step-up. requires_identification: patients must be identified before a prescription.
    new_number: draws a random prescription number for a day.
    """

    def __init__(
        self,
        work: UnitOfWork,
        clock: Clock,
        issuer: QrIssuer,
        page_tokens: PageTokens,
        *,
        valid: timedelta,
        controlled: ControlledMedicines | None = None,
        requires_identification: bool = True,
        new_number: Callable[[date], str] = new_prescription_number,
    ) -> None:
        self._work = work
        self._clock = clock
        self._issuer = issuer
        self._written = Listing[Prescription, MomentAndId](page_tokens, "ListPrescriptions", BY_MOMENT, _created)
        self._received = Listing[Prescription, MomentAndId](page_tokens, "ListMyPrescriptions", BY_MOMENT, _created)
        self._valid = valid
        self._new_number = new_number
        self._controlled = controlled
        self._requires_identification = requires_identification

    async def create(self, caller: Caller, new: NewPrescription) -> Prescription:
        """Creates a prescription by the caller and emails its patient.

        Raises AccountNotVerified, NotFound for the patient or the visit, PatientNotIdentified, StepUpRequired for a
        controlled medicine, and ValidationFailed for the day from which it is to be valid.
        """
        async with self._work.begin() as tx:
            if self._controlled is not None:
                await self._controlled.check(tx, caller, (item.medicine_name for item in new.items))
            known = await tx[PrescriptionRepository].check_subject(new.patient_id, new.visit_id, caller)
            check_identified(known, required=self._requires_identification)
            prescription_id = await self._insert(tx, caller, new)
            prescription = await tx[PrescriptionRepository].get(prescription_id)
            await tx[EventRepository].record(PrescriptionCreated(prescription))
            await tx[AuditWriter].record(AuditEvent.PRESCRIPTION_CREATED, prescribing.subject_of(prescription))
        return prescription

    async def list_own(
        self,
        caller: Caller,
        statuses: Iterable[PrescriptionStatus],
        patient_id: UUID | None,
        period: Period,
        page: PageRequest,
    ) -> Page[Prescription]:
        """Lists the prescriptions that the caller wrote, newest first. Raises ValidationFailed and PageTokenInvalid."""
        period.check()
        zone = self._clock.zone
        narrowed = PrescriptionFilter(
            _each_once(statuses), patient_id, period.starts_at(zone), period.ends_before(zone)
        )
        query = self._written.query(caller, page, narrowed.statuses, patient_id, period)
        async with self._work.read() as tx:
            found = await tx[PrescriptionListRepository].of_doctor(caller.user_id, narrowed, query.after, query.size)
        return query.page(*found)

    async def list_mine(
        self, caller: Caller, statuses: Iterable[PrescriptionStatus], page: PageRequest
    ) -> Page[Prescription]:
        """Lists the calling patient's prescriptions, newest first. Raises PageTokenInvalid."""
        narrowed = PrescriptionFilter(_each_once(statuses))
        query = self._received.query(caller, page, narrowed.statuses)
        async with self._work.read() as tx:
            found = await tx[PrescriptionListRepository].of_patient(caller.user_id, narrowed, query.after, query.size)
        return query.page(*found)

    async def get(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Gets a prescription that the caller wrote. Raises NotFound."""
        async with self._work.read() as tx:
            return await tx[PrescriptionRepository].read_of_doctor(prescription_id, caller.user_id)

    async def cancel(self, caller: Caller, prescription_id: UUID, reason: str) -> Prescription:
        """Cancels a prescription and notifies its patient: the caller's own, or one for a doctor of their hospital.

        For another doctor only if it is suspended or that doctor's account is deactivated.
        Raises NotFound, PrescriptionClaimed while a pharmacist holds a claim, and the errors of final states.
        """
        async with self._work.begin() as tx:
            prescription = await tx[SuspensionRepository].cancellable_for_update(prescription_id, caller)
            prescribing.check_not_final(prescription)
            if prescription.claim is not None:
                pharmacist = await tx[AccountRepository].get(prescription.claim.pharmacist_id)
                raise prescribing.claimed_refusal(prescription.claim, pharmacist)
            cancelled = await tx[PrescriptionRepository].move(prescription, PrescriptionStatus.CANCELLED, reason=reason)
            await tx[EventRepository].record(PrescriptionCancelled(cancelled))
            await tx[AuditWriter].record(AuditEvent.PRESCRIPTION_CANCELLED, prescribing.subject_of(cancelled))
        return prescribing.as_seen_by(caller, cancelled)

    async def _insert(self, tx: Transaction, caller: Caller, new: NewPrescription) -> UUID:
        """Stores the prescription with its items and its first QR code; draws numbers until one is free."""
        prescription_id = new_id()
        today = self._clock.today()
        valid = self._valid if new.valid_days is None else timedelta(days=new.valid_days)
        later = later_validity(new.valid_from, valid, today, self._clock.zone)
        validity = None
        while validity is None:
            number = self._new_number(today)
            validity = await tx[PrescriptionRepository].insert(
                prescription_id, number, caller.user_id, new, valid, later
            )
        await tx[PrescriptionRepository].insert_items(prescription_id, new.items)
        code = self._issuer.issue(prescription_id, validity.created_at, validity.expires_at, later)
        await tx[QrCodeRepository].open_new(code)
        return prescription_id


def _created(prescription: Prescription) -> MomentAndId:
    return prescription.created_at, prescription.id


def _each_once(statuses: Iterable[PrescriptionStatus]) -> tuple[PrescriptionStatus, ...]:
    return tuple(sorted(set(statuses)))
