"""Idempotency keys name service and method, and no unkeyed hash of a request is stored.

The previous hashes were SHA-256 of whole requests, that of CreateUser including a password. They are erased: until
they expire within a day, those rows match any request with their key. The previous version of the server does not find
the renamed keys and would carry out a repeated write again, so stop it before this migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

METHODS = {
    "medconnect.auth.v1.AuthService": (
        "CreateUser",
        "VerifyUser",
        "DeactivateUser",
        "ReactivateUser",
    ),
    "medconnect.clinical.v1.ClinicalService": (
        "CreatePatient",
        "UpdatePatient",
        "CreatePrescription",
        "CancelPrescription",
        "CreateMedicalVisit",
        "UpdateProfile",
        "ReissueQrCode",
        "SendPrescriptionEmail",
    ),
    "medconnect.events.v1.EventsService": (
        "RetryEmail",
        "ClearCompletedEmails",
        "EmitTestEvent",
    ),
    "medconnect.pharmacy.v1.PharmacyService": (
        "ScanQrCode",
        "LookupPrescriptions",
        "ValidatePrescription",
        "DispensePrescription",
        "RejectPrescription",
        "ReleasePrescription",
    ),
}
"""The methods that took idempotency keys at the time of this migration, by service."""

KEYS = sa.table("idempotency_keys", sa.column("method", sa.Text), sa.column("request_hash", sa.LargeBinary))


def upgrade() -> None:
    """Renames the methods of the keys and erases the hashes."""
    for service, methods in METHODS.items():
        op.execute(
            sa.update(KEYS).where(KEYS.c.method.in_(methods)).values(method=sa.literal(f"{service}/") + KEYS.c.method)
        )
    op.execute(sa.update(KEYS).values(request_hash=b""))


def downgrade() -> None:
    """Renames them back. A request repeated after that is rejected (IDEMPOTENCY_KEY_REUSED), not carried out again."""
    op.execute(sa.update(KEYS).values(method=sa.func.split_part(KEYS.c.method, "/", 2)))
