"""Keys of repeated writes name service and method, and no plain hash of a request is kept.

The hashes before were SHA-256 of whole requests, that of CreateUser over a password. They are erased: for their last
day those rows match any request with their key. A server of the version before finds none of the renamed keys and would
carry out a repeated write anew, so stop it before this migration.
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
"""The methods that took keys when this was written, by their service."""

KEYS = sa.table("idempotency_keys", sa.column("method", sa.Text), sa.column("request_hash", sa.LargeBinary))


def upgrade() -> None:
    """Rename the keys' methods and erase the hashes."""
    for service, methods in METHODS.items():
        op.execute(
            sa.update(KEYS).where(KEYS.c.method.in_(methods)).values(method=sa.literal(f"{service}/") + KEYS.c.method)
        )
    op.execute(sa.update(KEYS).values(request_hash=b""))


def downgrade() -> None:
    """Rename them back. A request that is repeated then is refused (IDEMPOTENCY_KEY_REUSED), not carried out anew."""
    op.execute(sa.update(KEYS).values(method=sa.func.split_part(KEYS.c.method, "/", 2)))
