"""Suspends prescriptions, and finds those that another doctor of the hospital may resume or cancel."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, exists, or_, text

from server.auth.storage.tables import memberships
from server.clinical.entities import Prescription
from server.clinical.storage.prescription_query import prescriber_inactive
from server.clinical.storage.prescriptions import PrescriptionRepository, lock_where
from server.clinical.storage.tables import prescriptions
from server.db.connection import Connection
from server.identity import Caller

_column: Final = prescriptions.c
_of_colleague: Final = exists().where(
    memberships.c.user_id == _column.doctor_id,
    memberships.c.organisation_id == bindparam("organisation_id", type_=Uuid),
)
"""The doctor is or was a member of the caller's hospital: a doctor who leaves may leave the hospital first."""
_LOCK_OF_COLLEAGUE: Final = lock_where((_column.doctor_id != bindparam("doctor_id")) & _of_colleague)
_LOCK_CANCELLABLE: Final = lock_where(
    or_(
        _column.doctor_id == bindparam("doctor_id"),
        or_(prescriber_inactive, _column.suspended_at.is_not(None)) & _of_colleague,
    )
)

_SUSPEND_ALL: Final = text(
    """
    UPDATE prescriptions
    SET suspended_at = now(), changed_at = now(), status = coalesce(claimed_from, status),
        claimed_by = NULL, claimed_from = NULL, claim_expires_at = NULL, claimed_for = NULL, claimed_for_until = NULL
    WHERE doctor_id = CAST(:doctor_id AS uuid) AND suspended_at IS NULL AND resumed_at IS NULL
        AND status IN ('pending', 'scanned', 'validated', 'partially_dispensed') AND expires_at > now()
    RETURNING id
    """
)
_RESUME: Final = text(
    """
    UPDATE prescriptions SET suspended_at = NULL, resumed_at = now(), changed_at = now()
    WHERE id = CAST(:id AS uuid)
    RETURNING changed_at
    """
)


class SuspensionRepository:
    """Reads and writes suspensions; raises NotFound("prescription") for one that is missing or not permitted."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._prescriptions = PrescriptionRepository(connection)

    async def cancellable_for_update(self, prescription_id: UUID, caller: Caller) -> Prescription:
        """Locks and returns the prescription if the caller wrote it or may cancel it for a doctor of their hospital.

        They may if it is suspended or that doctor's account is deactivated.
        """
        return await self._lock(_LOCK_CANCELLABLE, prescription_id, caller)

    async def of_colleague_for_update(self, prescription_id: UUID, caller: Caller) -> Prescription:
        """Locks and returns the prescription if another doctor of the caller's hospital wrote it."""
        return await self._lock(_LOCK_OF_COLLEAGUE, prescription_id, caller)

    async def suspend_all(self, doctor_id: UUID) -> Collection[Prescription]:
        """Suspends the doctor's open prescriptions, except resumed ones, ends their claims, and returns them."""
        ids = await self._connection.scalars(_SUSPEND_ALL, {"doctor_id": doctor_id})
        return (await self._prescriptions.by_ids(ids)).values() if ids else ()

    async def resume(self, prescription: Prescription) -> Prescription:
        """Ends the suspension of a locked prescription and returns the new one."""
        row = await self._connection.one(_RESUME, {"id": prescription.id})
        return replace(prescription, suspended_at=None, **row)

    async def _lock(self, lock: Select[Any], prescription_id: UUID, caller: Caller) -> Prescription:
        acting = {"doctor_id": caller.user_id, "organisation_id": caller.organisation_id}
        return await self._prescriptions.get_for_update(prescription_id, lock, **acting)
