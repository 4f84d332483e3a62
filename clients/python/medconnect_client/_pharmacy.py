"""What pharmacists do with prescriptions."""

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
    FoundPrescription,
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
        """Read the text of a QR code. Raises QrCodeInvalid, QrCodeReplaced, QrCodeExpired, errors of final states."""
        request = pb.ScanQrCodeRequest(qr_code=qr_code)
        return read(FoundPrescription, await self._calls.unary(request, pb.ScanQrCodeResponse, key=idempotency_key))

    async def lookup(
        self, reference_number: str, *, idempotency_key: str | None = None
    ) -> tuple[FoundPrescription, ...]:
        """Find the prescription of an `RX-…` number, or the open ones of a patient's `PAT-…` number; at most 50.

        Raises ReferenceNumberInvalid, NotFound, and for a single prescription the errors of final states.
        """
        request = pb.LookupPrescriptionsRequest(reference_number=reference_number)
        answer = await self._calls.unary(request, pb.LookupPrescriptionsResponse, key=idempotency_key)
        return tuple(read(FoundPrescription, found) for found in answer.prescriptions)

    @asynccontextmanager
    async def claim(self, prescription_id: str, notes: str | None = None) -> AsyncIterator["AsyncClaim"]:
        """Hold a prescription while the block runs; leaving it gives the claim back unless it has ended by itself.

        Raises NotFound without a scan or lookup in the last 24 h, ClaimedByOther, the errors of final states; on the
        way out only what keeps the claim from being given back, and never instead of the block's own exception.
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
        """Claim a prescription, or renew the claim; `claim` does so for a block. Raises as `claim` does."""
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
        """Hand out all of these lines of a claimed prescription, or none; the claim ends.

        Raises NotFound, ValidationFailed, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        request = filled(
            pb.DispensePrescriptionRequest, prescription_id=prescription_id, items=tuple(lines), notes=notes
        )
        return read(Dispensing, await self._calls.unary(request, pb.DispensePrescriptionResponse, key=idempotency_key))

    async def reject(
        self, prescription_id: str, reason: str, *, idempotency_key: str | None = None
    ) -> PharmacyPrescription:
        """Reject a prescription of which nothing was dispensed; patient and doctor read the reason.

        Raises NotFound, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        request = pb.RejectPrescriptionRequest(prescription_id=prescription_id, reason=reason)
        answer = await self._calls.unary(request, pb.RejectPrescriptionResponse, key=idempotency_key)
        return read(PharmacyPrescription, answer.prescription)

    async def release(self, prescription_id: str, *, idempotency_key: str | None = None) -> PharmacyPrescription:
        """Give the claim back. Raises NotFound, ClaimedByOther, PrescriptionState, and the errors of final states."""
        request = pb.ReleasePrescriptionRequest(prescription_id=prescription_id)
        answer = await self._calls.unary(request, pb.ReleasePrescriptionResponse, key=idempotency_key)
        return read(PharmacyPrescription, answer.prescription)

    def history(
        self, *, from_date: date | None = None, to_date: date | None = None, action: PharmacyAction | None = None
    ) -> AsyncIterator[DispensingHistoryEntry]:
        """The caller's own actions, newest first; days are the hospital's, both included."""
        request = filled(pb.ListDispensingHistoryRequest, from_date=from_date, to_date=to_date, action=action)
        return self._calls.listed(request, pb.ListDispensingHistoryResponse, DispensingHistoryEntry)

    def log(self, prescription_id: str) -> AsyncIterator[LogEntry]:
        """What happened to a prescription at pharmacies, oldest first. Raises NotFound."""
        request = pb.ListPrescriptionLogRequest(prescription_id=prescription_id)
        return self._calls.listed(request, pb.ListPrescriptionLogResponse, LogEntry)

    async def receipt(self, prescription_id: str) -> Receipt:
        """What was handed out: to its patient every line, to a pharmacist his own. Raises NotFound."""
        request = pb.GetDispensingSummaryRequest(prescription_id=prescription_id)
        return read(Receipt, await self._calls.unary(request, pb.GetDispensingSummaryResponse))


class AsyncClaim:
    """A prescription that the caller holds."""

    def __init__(self, pharmacy: AsyncPharmacy, validation: Validation) -> None:
        self._pharmacy = pharmacy
        self._validation = validation
        self._ended = False

    @property
    def prescription(self) -> PharmacyPrescription:
        """The prescription as it was when it was claimed, or the claim renewed."""
        return self._validation.prescription

    @property
    def expires_at(self) -> datetime:
        """Until when the claim lasts, by the server's clock."""
        return self._validation.claim_expires_at

    async def renew(self) -> None:
        """Hold it for another lease. Raises ClaimedByOther, PrescriptionState, and the errors of final states."""
        self._validation = await self._pharmacy.validate(self.prescription.id)

    async def dispense(
        self, lines: Iterable[DispenseLine], notes: str | None = None, *, idempotency_key: str | None = None
    ) -> Dispensing:
        """Hand out all of these lines, or none; the claim ends, also where something stays open.

        Raises ValidationFailed, ClaimedByOther, PrescriptionState, and the errors of final states.
        """
        dispensing = await self._pharmacy.dispense(self.prescription.id, lines, notes, idempotency_key=idempotency_key)
        self._ended = True
        return dispensing

    async def reject(self, reason: str, *, idempotency_key: str | None = None) -> PharmacyPrescription:
        """Reject it; patient and doctor read the reason. Raises as `dispense` does."""
        rejected = await self._pharmacy.reject(self.prescription.id, reason, idempotency_key=idempotency_key)
        self._ended = True
        return rejected

    async def release(self) -> None:
        """Give it back, if it has not ended yet; a claim that is lost needs no giving back."""
        if self._ended:
            return
        with suppress(FailedPrecondition, NotFound):
            await self._pharmacy.release(self.prescription.id)
        self._ended = True

    async def release_quietly(self) -> None:
        """Give it back if that is possible; otherwise it lapses at the end of its lease."""
        try:
            await self.release()
        except MedConnectError:
            self._ended = True
