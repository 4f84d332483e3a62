"""What the service speaks of, as frozen dataclasses.

Money is Decimal, moments are aware datetimes in UTC, days are dates, ids are UUIDs as text.
"""

from medconnect_client.models._audit import (
    AccessLogEntry,
    AuditRecord,
)
from medconnect_client.models._history import (
    HistoryEntry,
    PatientHistoryEntry,
)
from medconnect_client.models._limits import (
    RateLimit,
    RateLimitBucket,
    RateLimitUsage,
)
from medconnect_client.models._mail import (
    EmailQueueStatus,
)
from medconnect_client.models._people import (
    AccountChanges,
    AccountDetails,
    Gender,
    JsonWebKey,
    NewAccount,
    NewPatient,
    Patient,
    PatientChanges,
    PatientProfile,
    PatientRecord,
    PatientSummary,
    ProfileChanges,
    Role,
    User,
    UserStatus,
)
from medconnect_client.models._pharmacy import (
    DispensedLine,
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
from medconnect_client.models._prescriptions import (
    MedicalVisit,
    NewPrescription,
    NewPrescriptionItem,
    NewVisit,
    PatientPrescription,
    Prescription,
    PrescriptionItem,
    PrescriptionStatus,
    QrCode,
    QrCodeInfo,
    QueuedMail,
    VisitType,
    VitalSigns,
)

__all__ = [
    "AccessLogEntry",
    "AccountChanges",
    "AccountDetails",
    "AuditRecord",
    "DispenseLine",
    "DispensedLine",
    "Dispensing",
    "DispensingHistoryEntry",
    "EmailQueueStatus",
    "FoundPrescription",
    "Gender",
    "HistoryEntry",
    "JsonWebKey",
    "LogEntry",
    "MedicalVisit",
    "NewAccount",
    "NewPatient",
    "NewPrescription",
    "NewPrescriptionItem",
    "NewVisit",
    "Patient",
    "PatientChanges",
    "PatientHistoryEntry",
    "PatientPrescription",
    "PatientProfile",
    "PatientRecord",
    "PatientSummary",
    "PharmacyAction",
    "PharmacyPrescription",
    "Prescription",
    "PrescriptionItem",
    "PrescriptionStatus",
    "ProfileChanges",
    "QrCode",
    "QrCodeInfo",
    "QueuedMail",
    "RateLimit",
    "RateLimitBucket",
    "RateLimitUsage",
    "Receipt",
    "Role",
    "User",
    "UserStatus",
    "Validation",
    "VisitType",
    "VitalSigns",
]
