"""The people of the access table, and the prescriptions in its scenes."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from medconnect.auth.v1 import user_pb2
from medconnect.clinical.v1 import clinical_service_pb2, prescription_pb2, visit_pb2
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2
from sqlalchemy import text

from server.auth.entities import Tokens
from server.auth.storage.accounts import AccountRepository
from server.db.metadata import metadata
from tests.fixtures.actors import Actor, Actors, new_address

Prescription = prescription_pb2.Prescription
QUANTITY: Final = 10
PART: Final = 4

_BUSY: Final = {
    *(
        "events",
        "sessions",
        "refresh_tokens",
        "mail_workers",
        "background_tasks",
        "audit_records",
        "audit_seals",
        "rate_limit_buckets",
        "sign_in_counters",
        "patient_reads",
        "read_alerts",
    )
}
"""Tables that change without a write, or with every sign-in, try or refusal."""

# xmin is the transaction that wrote a row: it reveals any write, even with the same values. Emails are
# written while they are sent, so they are only counted.
_WRITTEN: Final = text(
    " UNION ALL ".join(
        f"SELECT '{table}', count(*), {'0' if table == 'emails' else 'max(xmin::text::bigint)'} FROM {table}"  # noqa: S608
        for table in sorted(metadata.tables.keys() - _BUSY)
    )
)


class SignedInStage:
    """Signs each actor in once; scenes are set up at their first use."""

    def __init__(self, actors: Actors) -> None:
        self.actors = actors
        pharmacy, self._hospital = new_address(), new_address()
        self.by_name: Mapping[str, Actor | None] = {
            "0": None,
            "PO": actors.new_patient("Pia Owner"),
            "PX": actors.new_patient("Per Stranger"),
            "DO": actors.new_doctor(self._hospital),
            "DX": actors.new_doctor(),
            "UD": actors.new_unverified(access_pb2.ROLE_DOCTOR),
            "UP": actors.new_unverified(access_pb2.ROLE_PHARMACIST),
            "HC": actors.new_pharmacist(pharmacy),
            "HM": actors.new_pharmacist(pharmacy),
            "HA": actors.new_pharmacist(pharmacy),
            "HF": actors.new_pharmacist(pharmacy),
            "HX": actors.new_pharmacist(),
            "A": actors.admin,
        }
        self.pharmacy_id = actors.organisation_of(self["HC"])
        actors.make_administrator(self["HA"], self.pharmacy_id)
        self.by_name = {**self.by_name, "HF": actors.without_pharmacy(self["HF"])}
        self._shared: dict[str, Prescription | None] = {}
        self._scenes: Mapping[str, Callable[[], Prescription | None]] = {
            "-": lambda: None,
            "open": self._open,
            "own_visit": self._open,
            "scanned": self._scanned,
            "contested": self._contested,
            "held": self._held,
            "history": self._history,
            "suspended": self._suspended,
        }

    def __getitem__(self, name: str) -> Actor:
        actor = self.by_name[name]
        assert actor is not None
        return actor

    def prescription(self, scene: str, *, fresh: bool) -> Prescription | None:
        """Returns the prescription of a scene: a shared one, or a new one for an actor who is going to change it."""
        if fresh:
            return self._scenes[scene]()
        if scene not in self._shared:
            self._shared[scene] = self._scenes[scene]()
        return self._shared[scene]

    def another_session(self, actor: Actor) -> tuple[Actor, str]:
        """Returns the actor in a new session, and its refresh token."""
        tokens = self.actors.instance.run(self._open_session(actor.user_id))
        return replace(actor, token=tokens.access_token), tokens.refresh_token

    @functools.cached_property
    def lodger(self) -> Actor:
        """The actor of repeated sign-ins: only the newest five sessions of an account stay alive."""
        return self.actors.new_patient("Lou Lodger")

    @functools.cached_property
    def visit_id(self) -> str:
        """The id of a visit of PO that DO recorded."""
        request = clinical_service_pb2.CreateMedicalVisitRequest(
            patient_id=self["PO"].patient_id,
            visit_date="2026-01-05",
            visit_type=visit_pb2.VISIT_TYPE_CONSULTATION,
            chief_complaint="Cough at night",
        )
        return self.actors.clinical.CreateMedicalVisit(request, metadata=self["DO"].metadata).visit.id

    @functools.cached_property
    def former_allergy(self) -> str:
        """An allergy of PO that DO recorded and removed."""
        record: Any = {"patient_id": self["PO"].patient_id}
        doctor, calls = self["DO"], self.actors.clinical
        removed = "An allergy that PO did not have"
        before = calls.GetPatient(clinical_service_pb2.GetPatientRequest(**record), metadata=doctor.metadata).patient
        added = clinical_service_pb2.UpdatePatientRequest(allergies=[removed], version=before.version, **record)
        version = calls.UpdatePatient(added, metadata=doctor.metadata).patient.version
        cleared = clinical_service_pb2.UpdatePatientRequest(clear=["allergies"], version=version, **record)
        calls.UpdatePatient(cleared, metadata=doctor.metadata)
        return removed

    @functools.cached_property
    def reference_number(self) -> str:
        """The reference number of PO."""
        request = clinical_service_pb2.GetProfileRequest()
        return self.actors.clinical.GetProfile(request, metadata=self["PO"].metadata).patient.reference_number

    def qr_text(self, prescription: Prescription) -> str:
        """Returns the text of the prescription's QR code."""
        return self.actors.qr_text(prescription.id, self["DO"])

    def written(self) -> Any:
        """Returns a value that differs after any write except sessions and the sending of emails."""
        return self.actors.instance.run(self._written())

    async def _written(self) -> Any:
        async with self.actors.instance.core.work.read() as tx:
            return await tx.connection.rows(_WRITTEN)

    async def _open_session(self, user_id: str) -> Tokens:
        instance = self.actors.instance
        async with instance.core.work.begin() as tx:
            _, tokens = await instance.services.sessions.open(tx, await tx[AccountRepository].get(UUID(user_id)))
        return tokens

    def _open(self) -> Prescription:
        return self.actors.prescribe(self["PO"].patient_id, QUANTITY, doctor=self["DO"])

    def _scanned(self) -> Prescription:
        prescription = self._open()
        self.scan(prescription, self["HC"])
        return prescription

    def _contested(self) -> Prescription:
        prescription = self._scanned()
        self.scan(prescription, self["HX"])
        self._validate(prescription)
        return prescription

    def _held(self) -> Prescription:
        prescription = self._scanned()
        self._validate(prescription)
        request = pharmacy_service_pb2.DispensePrescriptionRequest(prescription_id=prescription.id)
        request.items.append(dispense_line(prescription, PART))
        self.actors.pharmacy.DispensePrescription(request, metadata=self["HC"].metadata)
        self._validate(prescription)
        return prescription

    def _history(self) -> Prescription:
        for name in ("PO", "PX"):
            self.actors.open_history(self[name])
        assert self.former_allergy
        return self._held()

    def _suspended(self) -> Prescription:
        author = self.actors.new_doctor(self._hospital)
        prescription = self.actors.prescribe(self["PO"].patient_id, QUANTITY, doctor=author)
        self.actors.deactivate(author, user_pb2.DEACTIVATION_REASON_ACCOUNT_STOLEN)
        return prescription

    def scan(self, prescription: Prescription, pharmacist: Actor) -> None:
        """Lets a pharmacist scan the prescription."""
        request = pharmacy_service_pb2.ScanQrCodeRequest(qr_code=self.qr_text(prescription))
        self.actors.pharmacy.ScanQrCode(request, metadata=pharmacist.metadata)

    def _validate(self, prescription: Prescription) -> None:
        request = pharmacy_service_pb2.ValidatePrescriptionRequest(prescription_id=prescription.id)
        self.actors.pharmacy.ValidatePrescription(request, metadata=self["HC"].metadata)


def dispense_line(prescription: Prescription, quantity: int) -> pharmacy_service_pb2.DispenseLine:
    """Returns a line that dispenses this quantity of the only medicine."""
    return pharmacy_service_pb2.DispenseLine(
        item_id=prescription.items[0].id,
        quantity=quantity,
        unit_price="2.50",
        batch_number="B-1",
        expiry_date="2099-12-31",
    )
