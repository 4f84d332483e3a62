"""Use cases of pharmacists: each runs in one transaction and locks the prescription's row first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from server.audit import audit_context
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.clinical.entities import Prescription, PrescriptionStatus
from server.clinical.events import PrescriptionClosed, PrescriptionDispensed, PrescriptionRejected
from server.clinical.rules import reference_number
from server.clinical.rules.prescribing import subject_of
from server.clinical.rules.reference_number import ReferenceKind, ReferenceNumber
from server.clinical.storage.prescriptions import PrescriptionRepository
from server.clinical.storage.qr_codes import QrCodeRepository
from server.clock import Clock
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import NotFound, OrganisationRequired, QrCodeInvalid
from server.events.storage.events import EventRepository
from server.identity import Caller, Role
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens
from server.pharmacy.entities import (
    ClaimLimits,
    DispensedPrescription,
    DispenseLine,
    EndedBy,
    FoundPrescription,
    HistoryEntry,
    HistoryFilter,
    LogEntry,
    LookupResult,
    NewEntry,
    NewLine,
    PharmacyAction,
    Receipt,
    Validation,
)
from server.pharmacy.rules import claims, dispensing
from server.pharmacy.services.lookup_misses import LookupMisses
from server.pharmacy.storage.claims import ClaimRepository
from server.pharmacy.storage.pharmacy import PharmacyRepository
from server.qr import signed_code
from server.qr.key_ring import QrKeyRing
from server.qr.signed_code import QrContent

_RESOURCE: Final = "prescription"


class PharmacyService:
    """The use cases of pharmacies; the state table is in `dispensing.py`.

    lease: how long a claim lasts. limits: how many claims a pharmacist may take. currency: ISO 4217 code of
    every price.
    """

    def __init__(
        self,
        work: UnitOfWork,
        clock: Clock,
        qr_keys: QrKeyRing,
        page_tokens: PageTokens,
        lookup_misses: LookupMisses,
        *,
        lease: timedelta,
        limits: ClaimLimits,
        currency: str,
    ) -> None:
        self._work = work
        self._clock = clock
        self._qr_keys = qr_keys
        self._history = Listing[HistoryEntry, MomentAndId](
            page_tokens, "ListDispensingHistory", BY_MOMENT, lambda entry: (entry.occurred_at, entry.id)
        )
        self._log = Listing[LogEntry, MomentAndId](
            page_tokens, "ListPrescriptionLog", BY_MOMENT, lambda entry: (entry.occurred_at, entry.id)
        )
        self._lookup_misses = lookup_misses
        self._lease = lease
        self._limits = limits
        self._currency = currency

    async def scan(self, caller: Caller, text: str) -> FoundPrescription:
        """Reads a QR code, counts the scan and returns the prescription.

        Raises QrCodeInvalid, QrCodeReplaced, QrCodeExpired and the errors of final states.
        """
        content = signed_code.decode(text, self._qr_keys)
        async with self._work.begin() as tx:
            prescription = await _lock_scanned(content, tx)
            (seen,) = await _mark_scanned((prescription,), tx)
            scan_count = await tx[QrCodeRepository].count_scan(content.code_id)
            entry = _build_entry(PharmacyAction.SCAN, caller, prescription, seen.status)
            await tx[PharmacyRepository].add(AuditEvent.PRESCRIPTION_SCANNED, subject_of(prescription), entry)
        counted = replace(seen.qr_code, scan_count=scan_count)
        return _build_found(replace(seen, qr_code=counted), caller)

    async def look_up(self, caller: Caller, number: str) -> LookupResult:
        """Finds a prescription by its number, or a patient's open ones by their reference, and marks each as scanned.

        Raises ReferenceNumberInvalid, RateLimitExceeded after too many misses, NotFound, and for a single prescription
        the errors of final states.
        """
        reference = reference_number.normalize(number)
        async with self._lookup_misses.counted(caller.user_id), self._work.begin() as tx:
            subject, found, has_more = await _lock_named(reference, tx)
            seen = await _mark_scanned(found, tx)
            entries = [
                _build_entry(PharmacyAction.LOOKUP, caller, was, now.status)
                for was, now in zip(found, seen, strict=True)
            ]
            await tx[PharmacyRepository].add(AuditEvent.PRESCRIPTION_LOOKED_UP, subject, *entries)
        return LookupResult(reference.text, tuple(_build_found(each, caller) for each in seen), has_more)

    async def validate(self, caller: Caller, prescription_id: UUID, notes: str) -> Validation:
        """Claims a prescription for the caller's pharmacy, or renews its claim.

        Raises NotFound unless the caller scanned it in the last 24 hours or the pharmacy holds it, ClaimLimitReached,
        ClaimedByOther, PrescriptionInState and the errors of final states.
        """
        async with self._work.begin() as tx:
            prescription = await tx[ClaimRepository].to_claim_for_update(prescription_id, caller)
            status, claim = claims.claim(prescription, caller, self._lease)
            validated = await tx[PrescriptionRepository].move(prescription, status, claim=claim)
            entry = _build_entry(PharmacyAction.VALIDATE, caller, prescription, status, notes)
            counts = await tx[ClaimRepository].add(subject_of(prescription), entry)
            claims.check_limits(counts, self._limits)
        return Validation(validated, claim.expires_at)

    async def dispense(
        self, caller: Caller, prescription_id: UUID, lines: Sequence[DispenseLine], notes: str
    ) -> DispensedPrescription:
        """Dispenses all of these lines or none; the patient is notified.

        Raises NotFound, ValidationFailed, ClaimedByOther, PrescriptionInState and the errors of final states.
        """
        async with self._work.begin() as tx:
            prescription = await tx[ClaimRepository].to_finish_for_update(prescription_id, caller)
            outcome = dispensing.dispense(prescription, caller, lines, self._clock.today())
            entry = _build_entry(PharmacyAction.DISPENSE, caller, prescription, outcome.status, notes)
            await tx[PharmacyRepository].add_dispensing(
                subject_of(prescription), entry, self._new_lines(prescription, lines)
            )
            await tx[PrescriptionRepository].add_dispensed(outcome.quantities)
            dispensed = await tx[PrescriptionRepository].move(
                replace(prescription, items=outcome.items), outcome.status
            )
            await tx[EventRepository].record(PrescriptionDispensed(dispensed, entry.id))
        return DispensedPrescription(dispensed, outcome.total_amount, self._currency)

    async def reject(self, caller: Caller, prescription_id: UUID, reason: str) -> Prescription:
        """Rejects a prescription of which nothing was dispensed; its patient and its doctor are notified.

        Raises NotFound unless the caller scanned it in the last 24 hours, ClaimedByOther, PrescriptionInState and the
        errors of final states.
        """
        return await self._end(caller, prescription_id, reason, _REJECTION)

    async def close(self, caller: Caller, prescription_id: UUID, reason: str) -> Prescription:
        """Closes the rest of a partly dispensed prescription; its patient and its doctor are notified.

        Raises NotFound unless the caller scanned it in the last 24 hours, ClaimedByOther, PrescriptionInState and the
        errors of final states.
        """
        return await self._end(caller, prescription_id, reason, _CLOSING)

    async def _end(self, caller: Caller, prescription_id: UUID, reason: str, ending: "_Ending") -> Prescription:
        async with self._work.begin() as tx:
            prescription = await tx[ClaimRepository].to_reject_for_update(prescription_id, caller)
            status = ending.decide(prescription, caller)
            ended = await tx[PrescriptionRepository].move(prescription, status, reason=reason)
            entry = _build_entry(ending.action, caller, prescription, status, reason)
            await tx[PharmacyRepository].add(ending.audit, subject_of(prescription), entry)
            await tx[EventRepository].record(ending.event(ended))
        return ended

    async def release(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Releases the claim of the caller's pharmacy.

        Raises NotFound, ClaimedByOther, PrescriptionInState and the errors of final states.
        """
        async with self._work.begin() as tx:
            prescription = await tx[ClaimRepository].to_finish_for_update(prescription_id, caller)
            status = claims.release(prescription, caller)
            released = await tx[PrescriptionRepository].move(prescription, status)
            entry = _build_entry(PharmacyAction.RELEASE, caller, prescription, status)
            await tx[PharmacyRepository].add(AuditEvent.PRESCRIPTION_RELEASED, subject_of(prescription), entry)
        return released

    async def end_claim(self, caller: Caller, prescription_id: UUID) -> Prescription:
        """Ends the claim on the caller's own prescription, or one of the pharmacy that the caller administers.

        Raises NotFound, ClaimedByOther, PrescriptionInState and the errors of final states.
        """
        ended_by = EndedBy.PATIENT if caller.role is Role.PATIENT else EndedBy.ADMINISTRATOR
        async with self._work.begin() as tx:
            prescription = await tx[ClaimRepository].to_end_for_update(prescription_id, caller)
            status, claim = claims.end_claim(prescription, caller)
            freed = await tx[PrescriptionRepository].move(prescription, status)
            holder = Caller(claim.pharmacist_id, Role.PHARMACIST, caller.session_id, claim.organisation_id)
            entry = _build_entry(PharmacyAction.END_CLAIM, holder, prescription, status, ended_by)
            await tx[PharmacyRepository].add(AuditEvent.CLAIM_ENDED, subject_of(prescription), entry)
        return freed

    async def history(self, caller: Caller, wanted: HistoryFilter, page: PageRequest) -> Page[HistoryEntry]:
        """Lists the actions of the caller's pharmacy, newest first. Raises ValidationFailed, PageTokenInvalid."""
        wanted.period.check()
        query = self._history.query(caller, page, wanted.period, wanted.action)
        async with self._work.read() as tx:
            found = await tx[PharmacyRepository].history(
                _pharmacy_of(caller), wanted, self._clock.zone, query.after, query.size
            )
        return query.page(*found)

    async def log(self, caller: Caller, prescription_id: UUID, page: PageRequest) -> Page[LogEntry]:
        """Lists the pharmacies' actions on a prescription, oldest first, for a pharmacist whose pharmacy acted on it.

        Raises NotFound, PageTokenInvalid.
        """
        query = self._log.query(caller, page, prescription_id)
        async with self._work.read() as tx:
            return query.page(
                *await tx[PharmacyRepository].log(prescription_id, _pharmacy_of(caller), query.after, query.size)
            )

    async def receipt(self, caller: Caller, prescription_id: UUID) -> Receipt:
        """Returns the dispensed lines: all for the patient, their pharmacy's for a pharmacist; else raises NotFound.

        The lines are read first, so that another person's prescription takes as many statements as one that does not
        exist.
        """
        async with self._work.read() as tx:
            lines = await tx[PharmacyRepository].lines_for(prescription_id, caller)
            if not lines and caller.role is not Role.PATIENT:
                raise NotFound(_RESOURCE)
            prescription = await tx[PrescriptionRepository].read_for_receipt(prescription_id, caller)
        currency = lines[0].currency if lines else self._currency
        reason = prescription.status_reason if prescription.status is PrescriptionStatus.CLOSED else ""
        return Receipt(prescription.number, prescription.patient_name, prescription.status, lines, currency, reason)

    def _new_lines(self, prescription: Prescription, lines: Sequence[DispenseLine]) -> list[NewLine]:
        before = {item.id: item.dispensed_quantity for item in prescription.items}
        names = {item.id: item.medicine_name for item in prescription.items}
        new: list[NewLine] = []
        for line in lines:
            stored = NewLine(
                id=new_id(),
                item_id=line.item_id,
                dispensed_before=before[line.item_id],
                quantity=line.quantity,
                unit_price=line.unit_price,
                currency=self._currency,
                batch_number=line.batch_number,
                expiry_date=line.expiry_date,
                product_code=line.product_code,
                dispensed_medicine_name=dispensing.substitute_in(line, names[line.item_id]),
                substitution_reason=line.substitution_reason,
            )
            before[line.item_id] += line.quantity
            new.append(stored)
        return new


async def _lock_scanned(content: QrContent, tx: Transaction) -> Prescription:
    """Locks and returns the prescription of a scanned code; the code's stored row is authoritative."""
    try:
        prescription = await tx[PrescriptionRepository].get_for_update(content.prescription_id)
    except NotFound:
        raise QrCodeInvalid() from None
    audit_context.set_subject(subject_of(prescription))
    current = prescription.qr_code
    code = current if current.id == content.code_id else await tx[QrCodeRepository].get(content.code_id)
    dispensing.check_code(prescription, code)
    return prescription


async def _lock_named(reference: ReferenceNumber, tx: Transaction) -> tuple[Subject, tuple[Prescription, ...], bool]:
    """Returns the audit subject that a number names, the prescriptions it finds, locked, and whether there are more."""
    if reference.kind is ReferenceKind.PATIENT:
        patient_id, found, has_more = await tx[PrescriptionRepository].open_of_patient_for_update(reference.text)
        return Subject("patient", patient_id, (patient_id,)), found, has_more
    prescription = await tx[PrescriptionRepository].by_number_for_update(reference.text)
    subject = subject_of(prescription)
    audit_context.set_subject(subject)
    return subject, (prescription,), False


async def _mark_scanned(found: tuple[Prescription, ...], tx: Transaction) -> tuple[Prescription, ...]:
    """Moves pending prescriptions to scanned and returns all, in order. Raises the errors of final states."""
    after = {prescription.id: dispensing.status_after_scan(prescription) for prescription in found}
    moved: dict[UUID, Prescription] = {}
    for status in dict.fromkeys(after.values()):
        moving = [each for each in found if after[each.id] is status is not each.status]
        moved |= {each.id: each for each in await tx[PrescriptionRepository].move_all(moving, status)}
    return tuple(moved.get(prescription.id, prescription) for prescription in found)


def _build_found(prescription: Prescription, caller: Caller) -> FoundPrescription:
    return FoundPrescription(prescription, claims.can_dispense(prescription, caller))


@dataclass(frozen=True, slots=True)
class _Ending:
    """A final action of a pharmacy, with a reason that the patient and the doctor are told."""

    decide: Callable[[Prescription, Caller], PrescriptionStatus]
    action: PharmacyAction
    audit: AuditEvent
    event: type[PrescriptionRejected | PrescriptionClosed]


_REJECTION: Final = _Ending(
    dispensing.reject, PharmacyAction.REJECT, AuditEvent.PRESCRIPTION_REJECTED, PrescriptionRejected
)
_CLOSING: Final = _Ending(dispensing.close, PharmacyAction.CLOSE, AuditEvent.PRESCRIPTION_CLOSED, PrescriptionClosed)


def _build_entry(
    action: PharmacyAction, caller: Caller, was: Prescription, status: PrescriptionStatus, notes: str = ""
) -> NewEntry:
    return NewEntry(new_id(), was.id, caller.user_id, caller.organisation_id, action, was.status, status, notes)


def _pharmacy_of(caller: Caller) -> UUID:
    """Returns the pharmacy of a pharmacist; the access interceptor refuses one without. Raises OrganisationRequired."""
    if caller.organisation_id is None:
        raise OrganisationRequired()
    return caller.organisation_id
