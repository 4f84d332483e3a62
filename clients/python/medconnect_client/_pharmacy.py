"""Calls of pharmacists: scanning, claiming, dispensing and rejecting prescriptions."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime

from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pb

from medconnect_client._calls import Calls
from medconnect_client._wire import filled, read
from medconnect_client.errors import FailedPrecondition, MedConnectError, NotFound
from medconnect_client.models import (
    DispenseLine,
    Dispensing,
    DispensingHistoryEntry,
    EndedClaim,
    FoundPrescription,
    FoundPrescriptions,
    LogEntry,
    PharmacyAction,
    PharmacyPrescription,
    Receipt,
    Validation,
)


class AsyncPharmacy:
    """The Pharmacy service."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def scan(self, qr_code: str, *, idempotency_key: str | None = None) -> FoundPrescription:
        """Scans the text of a QR code. Raises QrCodeInvalid, QrCodeReplaced, QrCodeExpired, errors of final states."""
        request = pb.ScanQrCodeRequest(qr_code=qr_code)
        return read(FoundPrescription, await self._calls.unary(request, pb.ScanQrCodeResponse, key=idempotency_key))

    async def lookup(self, reference_number: str, *, idempotency_key: str | None = None) -> FoundPrescriptions:
        """Finds the prescription of an `RX-…` number, or the open ones of a patient's `PAT-…` number; at most 50.

        The server reads the number as it was typed or scanned: in any case, with or without dashes and spaces. Raises
        ReferenceNumberInvalid, NotFound, and for a single prescription the errors of final states.
        """
        request = pb.LookupPrescriptionsRequest(reference_number=reference_number)
        answer = await self._calls.unary(request, pb.LookupPrescriptionsResponse, key=idempotency_key)
        found = (read(FoundPrescription, each) for each in answer.prescriptions)
        return FoundPrescriptions(found, reference_number=answer.reference_number, has_more=answer.has_more)

    @asynccontextmanager
    async def claim(self, prescription_id: str, notes: str | None = None) -> AsyncIterator["AsyncClaim"]:
        """Claims a prescription while the block runs; leaving the block releases the claim unless it has ended.

        Raises NotFound without a scan or lookup in the last 24 h, ClaimedByOther, and the errors of final states. On
        exit it raises errors of the release, but never in place of the block's own exception.
        """
        claim = AsyncClaim(self, await self.validate(prescription_id, notes))
        try:
            yield claim
        except BaseException:
            await claim.release_quietly()
            raise
        await claim.release()

    async def validate(
        self, prescription_id: str, notes: str | None = None, *, idempotency_key: str | None = None
    ) -> Validation:
        """Claims a prescription or renews the claim; prefer `claim`, which releases it. Raises as `claim` does."""
        request = filled(pb.ValidatePrescriptionRequest, prescription_id=prescription_id, notes=notes)
        return read(Validation, await self._calls.unary(request, pb.ValidatePrescriptionResponse, key=idempotency_key))

    async def dispense(
        self,
        prescription_id: str,
        lines: Iterable[DispenseLine],
        notes: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Dispensing:
        """Dispenses all of these lines of a claimed prescription, or none; the claim ends.

        Raises NotFound, ValidationFailed, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        request = filled(
            pb.DispensePrescriptionRequest, prescription_id=prescription_id, items=tuple(lines), notes=notes
        )
        return read(Dispensing, await self._calls.unary(request, pb.DispensePrescriptionResponse, key=idempotency_key))

    async def reject(
        self, prescription_id: str, reason: str, *, idempotency_key: str | None = None
    ) -> PharmacyPrescription:
        """Rejects a prescription of which nothing was dispensed; the patient and the doctor see the reason.

        Raises NotFound, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        request = pb.RejectPrescriptionRequest(prescription_id=prescription_id, reason=reason)
        answer = await self._calls.unary(request, pb.RejectPrescriptionResponse, key=idempotency_key)
        return read(PharmacyPrescription, answer.prescription)

    async def close(
        self, prescription_id: str, reason: str, *, idempotency_key: str | None = None
    ) -> PharmacyPrescription:
        """Closes the rest of a partly dispensed prescription; the patient and the doctor see the reason.

        Raises NotFound, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        request = pb.ClosePrescriptionRequest(prescription_id=prescription_id, reason=reason)
        answer = await self._calls.unary(request, pb.ClosePrescriptionResponse, key=idempotency_key)
        return read(PharmacyPrescription, answer.prescription)

    async def release(self, prescription_id: str, *, idempotency_key: str | None = None) -> PharmacyPrescription:
        """Releases the claim. Raises NotFound, ClaimedByOther, PrescriptionState, and the errors of final states."""
        request = pb.ReleasePrescriptionRequest(prescription_id=prescription_id)
        answer = await self._calls.unary(request, pb.ReleasePrescriptionResponse, key=idempotency_key)
        return read(PharmacyPrescription, answer.prescription)

    async def end_claim(self, prescription_id: str, *, idempotency_key: str | None = None) -> EndedClaim:
        """Ends a pharmacy's claim, for the prescription's patient or an administrator of the pharmacy.

        Raises NotFound, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        request = pb.EndClaimRequest(prescription_id=prescription_id)
        return read(EndedClaim, await self._calls.unary(request, pb.EndClaimResponse, key=idempotency_key))

    def history(
        self, *, from_date: date | None = None, to_date: date | None = None, action: PharmacyAction | None = None
    ) -> AsyncIterator[DispensingHistoryEntry]:
        """Lists the actions of the caller's pharmacy, newest first.

        from_date, to_date: calendar days in the hospital's time zone, both included.
        """
        request = filled(pb.ListDispensingHistoryRequest, from_date=from_date, to_date=to_date, action=action)
        return self._calls.listed(request, pb.ListDispensingHistoryResponse, DispensingHistoryEntry)

    def log(self, prescription_id: str) -> AsyncIterator[LogEntry]:
        """Lists the pharmacy actions on a prescription, oldest first. Raises NotFound."""
        request = pb.ListPrescriptionLogRequest(prescription_id=prescription_id)
        return self._calls.listed(request, pb.ListPrescriptionLogResponse, LogEntry)

    async def receipt(self, prescription_id: str) -> Receipt:
        """Gets the dispensed lines: all for the patient, their pharmacy's for a pharmacist. Raises NotFound."""
        request = pb.GetDispensingSummaryRequest(prescription_id=prescription_id)
        return read(Receipt, await self._calls.unary(request, pb.GetDispensingSummaryResponse))


class AsyncClaim:
    """The caller's claim on a prescription."""

    def __init__(self, pharmacy: AsyncPharmacy, validation: Validation) -> None:
        self._pharmacy = pharmacy
        self._validation = validation
        self._ended = False

    @property
    def prescription(self) -> PharmacyPrescription:
        """The prescription as of the last validation: when it was claimed, or when the claim was renewed."""
        return self._validation.prescription

    @property
    def expires_at(self) -> datetime:
        """The time when the claim expires, by the server's clock."""
        return self._validation.claim_expires_at

    async def renew(self) -> None:
        """Renews the claim for another lease. Raises ClaimedByOther, PrescriptionState, errors of final states."""
        self._validation = await self._pharmacy.validate(self.prescription.id)

    async def dispense(
        self, lines: Iterable[DispenseLine], notes: str | None = None, *, idempotency_key: str | None = None
    ) -> Dispensing:
        """Dispenses all of these lines, or none; the claim ends, even if a part remains open.

        Raises ValidationFailed, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        dispensing = await self._pharmacy.dispense(self.prescription.id, lines, notes, idempotency_key=idempotency_key)
        self._ended = True
        return dispensing

    async def reject(self, reason: str, *, idempotency_key: str | None = None) -> PharmacyPrescription:
        """Rejects the prescription; the patient and the doctor see the reason. Raises as `dispense` does."""
        rejected = await self._pharmacy.reject(self.prescription.id, reason, idempotency_key=idempotency_key)
        self._ended = True
        return rejected

    async def close(self, reason: str, *, idempotency_key: str | None = None) -> PharmacyPrescription:
        """Closes the rest of the prescription; the patient and the doctor see the reason. Raises as `dispense` does."""
        closed = await self._pharmacy.close(self.prescription.id, reason, idempotency_key=idempotency_key)
        self._ended = True
        return closed

    async def release(self) -> None:
        """Releases the claim if it has not ended; does nothing if the claim was lost."""
        if self._ended:
            return
        with suppress(FailedPrecondition, NotFound):
            await self._pharmacy.release(self.prescription.id)
        self._ended = True

    async def release_quietly(self) -> None:
        """Releases the claim and ignores errors; a claim that is not released expires at the end of its lease."""
        try:
            await self.release()
        except MedConnectError:
            self._ended = True
