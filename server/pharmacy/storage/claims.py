"""Claims in the database: which prescriptions a pharmacist may lock, how many they have claimed, and ending claims."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Text, Uuid, bindparam, cast, exists, func, literal_column, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AUDIT_CTE, audit_params, with_audit_binds
from server.auth.storage.acting import ActingRepository, active_member
from server.auth.storage.tables import memberships
from server.clinical.entities import Prescription
from server.clinical.storage.prescriptions import PrescriptionRepository, lock_where
from server.clinical.storage.tables import claiming_pharmacy, patients, prescriptions, status_now
from server.db.connection import Connection
from server.errors import NotFound
from server.identity import Caller, Role
from server.pharmacy.entities import ClaimCounts, EndedBy, NewEntry
from server.pharmacy.storage.tables import pharmacy_log

# The statement that finds a prescription also checks that the pharmacist may see it. For others the prescription is
# indistinguishable from one that does not exist: same result, same time, no lock.
_pharmacy_id: Final = bindparam("organisation_id", type_=Uuid)
_pharmacist_id: Final = bindparam("pharmacist_id", type_=Uuid)
_acted_here: Final = exists().where(
    pharmacy_log.c.prescription_id == bindparam("id"), pharmacy_log.c.organisation_id == _pharmacy_id
)
_seen_lately: Final = _acted_here.where(
    pharmacy_log.c.pharmacist_id == _pharmacist_id,
    pharmacy_log.c.action.in_([literal_column("'scan'"), literal_column("'lookup'")]),
    pharmacy_log.c.occurred_at > func.now() - text("interval '24 hours'"),
)
_claimed: Final = prescriptions.c.claim_expires_at > func.now()
_held_here: Final = _claimed & (claiming_pharmacy == _pharmacy_id)
# A colleague who loses a race learns how the prescription ended, because their pharmacy has seen it.
_ended_here: Final = _acted_here & status_now.in_(
    [literal_column(f"'{status}'") for status in ("dispensed", "rejected", "cancelled", "expired", "closed")]
)
_administers: Final = exists().where(
    memberships.c.user_id == _pharmacist_id,
    memberships.c.organisation_id == _pharmacy_id,
    memberships.c.member_right == literal_column("'administrator'"),
    memberships.c.ended_at.is_(None),
)
_acts: Final = active_member(_pharmacist_id, _pharmacy_id)
# Claims of one pharmacist are taken one after another, so that parallel calls cannot exceed the limits. The lock is
# taken before that of the prescription, and the counts are read by a later statement, which sees the claim before.
_in_turn: Final = (
    select(literal_column("TRUE"))
    .select_from(
        func.pg_advisory_xact_lock(
            func.hashtextextended(
                literal_column("'medconnect claims of '").op("||")(cast(_pharmacist_id, Text)), literal_column("0")
            )
        )
    )
    .scalar_subquery()
)
_LOCK_TO_CLAIM: Final = lock_where(_acts & _in_turn & or_(_seen_lately, _held_here, _ended_here))
_LOCK_TO_REJECT: Final = lock_where(_acts & or_(_seen_lately, _claimed, _ended_here))
_LOCK_TO_FINISH: Final = lock_where(_acts & or_(_acted_here, _claimed))
_LOCK_ADMINISTERED: Final = lock_where(_administers & or_(_acted_here, _held_here))
_LOCK_OF_PATIENT: Final = lock_where(patients.c.user_id == bindparam("user_id"))

# The counts are of the statement's snapshot, which contains the claim but not yet its entry.
_ADD_CLAIM: Final = with_audit_binds(
    text(
        f"""
        WITH {AUDIT_CTE}, entry AS (
            INSERT INTO pharmacy_log
                (id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status, notes,
                occurred_at)
            VALUES
                (:id, :prescription_id, :pharmacist_id, :organisation_id, 'validate', :from_status, :to_status, :notes,
                clock_timestamp())
        )
        SELECT (
            SELECT count(*) FROM prescriptions
            WHERE claimed_by = :pharmacist_id AND status = 'validated' AND claim_expires_at > now()
        ) AS open_claims, 1 + (
            SELECT count(*) FROM pharmacy_log
            WHERE prescription_id = :prescription_id AND pharmacist_id = :pharmacist_id AND action = 'validate'
                AND occurred_at > now() - interval '24 hours'
        ) AS claims_of_prescription
        """  # noqa: S608 - AUDIT_CTE is a constant
    ).bindparams(
        *(bindparam(name, type_=Uuid) for name in ("id", "prescription_id", "pharmacist_id", "organisation_id")),
        *(bindparam(name, type_=Text) for name in ("from_status", "to_status", "notes")),
    )
)

# Locks in the order in which lookups lock the prescriptions of a patient, so that the two cannot deadlock. The new
# state is that of `claims.status_without_claim`.
_END_CLAIMS: Final = text(
    """
    WITH held AS (
        SELECT id, claimed_by, claimed_for_until = claim_expires_at AS shared, claimed_for
        FROM prescriptions
        WHERE claimed_by = ANY(:pharmacist_ids) AND status = 'validated' AND claim_expires_at > now()
            AND (CAST(:organisation_id AS uuid) IS NULL OR claimed_for_until IS DISTINCT FROM claim_expires_at
                OR claimed_for = :organisation_id)
        ORDER BY created_at DESC, id DESC FOR NO KEY UPDATE
    ), ended AS (
        UPDATE prescriptions
        SET status = CASE WHEN expires_at <= now() THEN 'expired' ELSE claimed_from END, changed_at = now(),
            claimed_by = NULL, claimed_from = NULL, claim_expires_at = NULL, claimed_for = NULL,
            claimed_for_until = NULL
        FROM held WHERE prescriptions.id = held.id
        RETURNING prescriptions.id, prescriptions.status, held.claimed_by, held.shared, held.claimed_for
    )
    INSERT INTO pharmacy_log
        (id, prescription_id, pharmacist_id, organisation_id, action, from_status, to_status, notes, occurred_at)
    SELECT gen_random_uuid(), id, claimed_by, CASE WHEN shared THEN claimed_for END, 'end_claim', 'validated', status,
        :notes, clock_timestamp()
    FROM ended
    """
).bindparams(
    bindparam("pharmacist_ids", type_=ARRAY(Uuid)),
    bindparam("organisation_id", type_=Uuid),
    bindparam("notes", type_=Text),
)


class ClaimRepository:
    """Locks prescriptions for those who may claim or finish them, and counts and ends claims."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def to_claim_for_update(self, prescription_id: UUID, caller: Caller) -> Prescription:
        """Locks and returns the prescription if the caller scanned it in the last 24 hours or their pharmacy holds it.

        A lookup counts as a scan. One that has ended is returned too if the pharmacy acted on it.
        """
        return await self._lock(_LOCK_TO_CLAIM, prescription_id, caller)

    async def to_reject_for_update(self, prescription_id: UUID, caller: Caller) -> Prescription:
        """Locks and returns the prescription if the caller scanned it in the last 24 hours or if it is claimed.

        For a claimed prescription the rules check that the caller's pharmacy holds the claim. One that has ended is
        returned too if the pharmacy acted on it.
        """
        return await self._lock(_LOCK_TO_REJECT, prescription_id, caller)

    async def to_finish_for_update(self, prescription_id: UUID, caller: Caller) -> Prescription:
        """Locks and returns the prescription if the caller's pharmacy ever acted on it or if it is claimed."""
        return await self._lock(_LOCK_TO_FINISH, prescription_id, caller)

    async def to_end_for_update(self, prescription_id: UUID, caller: Caller) -> Prescription:
        """Locks and returns the caller's own prescription, or one of the pharmacy that the caller administers."""
        if caller.role is Role.PATIENT:
            clinical = PrescriptionRepository(self._connection)
            return await clinical.get_for_update(prescription_id, _LOCK_OF_PATIENT, user_id=caller.user_id)
        return await self._lock(_LOCK_ADMINISTERED, prescription_id, caller)

    async def add(self, subject: Subject, entry: NewEntry) -> ClaimCounts:
        """Logs a claim that was stored, writes the audit record, and returns its pharmacist's claims."""
        values = {
            **audit_params(AuditEvent.PRESCRIPTION_VALIDATED, subject),
            "id": entry.id,
            "prescription_id": entry.prescription_id,
            "pharmacist_id": entry.pharmacist_id,
            "organisation_id": entry.organisation_id,
            "from_status": entry.from_status,
            "to_status": entry.to_status,
            "notes": entry.notes,
        }
        return ClaimCounts(**await self._connection.one(_ADD_CLAIM, values))

    async def end_all(
        self, pharmacist_ids: Collection[UUID], ended_by: EndedBy, organisation_id: UUID | None = None
    ) -> None:
        """Ends and logs all claims that pharmacists took or renewed last, by one statement.

        organisation_id: only claims of this pharmacy, and those that no pharmacy shares.
        """
        values = {"pharmacist_ids": list(pharmacist_ids), "organisation_id": organisation_id, "notes": ended_by}
        await self._connection.execute(_END_CLAIMS, values)

    async def _lock(self, lock: Select[Any], prescription_id: UUID, caller: Caller) -> Prescription:
        clinical = PrescriptionRepository(self._connection)
        acting = {"pharmacist_id": caller.user_id, "organisation_id": caller.organisation_id}
        try:
            return await clinical.get_for_update(prescription_id, lock, **acting)
        except NotFound:
            await ActingRepository(self._connection).check(caller)
            raise
