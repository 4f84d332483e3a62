"""The calls of the story on a generated hospital: a doctor writes, a pharmacist dispenses, people read."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any, Final
from uuid import UUID

import asyncpg
from google.protobuf import json_format
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from benchmarks.hospital.databases import Hospital
from benchmarks.hospital.facts import OPEN_SHARE, PASSWORD, PrescriptionFacts, Size
from benchmarks.hospital.tables import ITEMS, email, prescription_number
from benchmarks.plan import WITHOUT_BASELINES, Call, Metadata, Variant
from server.runtime.server import Services

MOST_PER_SECOND: Final = 450
"""Prescriptions for each second of a round: more first scans than a Python process can serve."""
TURNS: Final = 64
"""Objects that are read in turn, so that concurrent calls do not wait for each other's row locks."""
PICTURES: Final = 40
PAGES: Final = (1, 10, 20, 100)

_AUTH: Final = "/medconnect.auth.v1.AuthService"
_CLINICAL: Final = "/medconnect.clinical.v1.ClinicalService"
_PHARMACY: Final = "/medconnect.pharmacy.v1.PharmacyService"

_UNCLAIMED: Final = "claimed_by = NULL, claimed_from = NULL, claim_expires_at = NULL, fulfilled_at = NULL"
_PENDING: Final = f"UPDATE prescriptions SET status = 'pending', {_UNCLAIMED} WHERE id = ANY($1)"  # noqa: S608
_SCANNED: Final = f"UPDATE prescriptions SET status = 'scanned', {_UNCLAIMED} WHERE id = ANY($1)"  # noqa: S608
_CLAIMED: Final = """
    WITH items AS (
        UPDATE prescription_items SET dispensed_quantity = 0 WHERE prescription_id = ANY($1) RETURNING id
    ), lines AS (DELETE FROM dispensed_lines WHERE item_id IN (SELECT id FROM items))
    UPDATE prescriptions SET status = 'validated', claimed_by = $2, claimed_from = 'scanned',
        claim_expires_at = now() + interval '1 hour', fulfilled_at = NULL
    WHERE id = ANY($1)
    """
_SEEN: Final = """
    INSERT INTO pharmacy_log (id, prescription_id, pharmacist_id, action, from_status, to_status)
    SELECT gen_random_uuid(), id, $2, 'scan', 'pending', 'scanned' FROM unnest($1::uuid[]) AS id
    """
_HISTORY_OPEN: Final = "UPDATE sessions SET history_until = now() + interval '1 hour' WHERE user_id = $1"


@dataclass(frozen=True, slots=True)
class People:
    """The callers, each with the metadata of their calls."""

    admin: Metadata
    doctor: Metadata
    pharmacist: Metadata
    patient: Metadata


def size_for(seconds: float) -> Size:
    """Returns the smallest hospital whose open prescriptions suffice for rounds of this length."""
    needed = 3 * _per_round(seconds) + TURNS + 8 * PICTURES
    prescriptions = max(5_000, math.ceil(needed / OPEN_SHARE))
    return Size(max(1_000, prescriptions // 10), prescriptions)


def _per_round(seconds: float) -> int:
    return max(TURNS, math.ceil(MOST_PER_SECOND * seconds))


class Story:
    """Makes the calls; doctor, pharmacist and patient are the first ones of the hospital."""

    def __init__(self, hospital: Hospital, people: People, seconds: float) -> None:
        facts = hospital.facts
        self._facts, self._rows, self._people = facts, hospital.rows, people
        self._pharmacist = UUID(facts.user_ids[facts.pharmacist(0)])
        closed = map(facts.prescription, range(facts.size.closed))
        self._written = list(islice((one for one in closed if one.doctor == 0), TURNS))
        newest = map(facts.prescription, range(facts.size.prescriptions - 1, facts.size.closed, -1))
        self._pictured = list(islice((one for one in newest if one.doctor == 0), PICTURES + 1))
        opened = map(facts.prescription, range(facts.size.closed, facts.size.prescriptions))
        self._found = list(islice(opened, TURNS))
        self._scanned, self._validated, self._dispensed = (list(islice(opened, _per_round(seconds))) for _ in range(3))

    async def prepare(self, database: asyncpg.Pool) -> None:
        """Makes the states that the calls begin with: seen prescriptions, and an open medical history."""
        for seen in (self._validated, self._dispensed):
            await database.execute(_SEEN, _ids(seen), self._pharmacist)
        await database.execute(_HISTORY_OPEN, UUID(self._facts.user_ids[self._facts.patient(0)]))

    def calls(self) -> tuple[Call, ...]:
        """Returns all calls, in the order of the report."""
        return (*self.reads(), *self.lists(), *self.dispensing(), *self.writing())

    def reads(self) -> Iterator[Call]:
        """Yields the reads of one object."""
        doctor = self._people.doctor
        patients = [_uuid(self._facts.patient_ids[one.patient]) for one in self._written]
        yield _call("GetCurrentUser", _AUTH, auth, doctor, [{}])
        yield _call("GetPrescription", _CLINICAL, clinical, doctor, _named(self._written))
        yield _call("GetPatient", _CLINICAL, clinical, doctor, [{"patient_id": patient} for patient in patients])
        yield _call("GetQrCode", _CLINICAL, clinical, doctor, _named(self._pictured[:1]))
        yield _call(
            "LookupPrescriptions",
            _PHARMACY,
            pharmacy,
            self._people.pharmacist,
            [{"reference_number": prescription_number(one)} for one in self._found],
            reset=_SCANNED,
            reset_arguments=(_ids(self._found),),
        )
        pictures = _named(self._pictured)
        first, shown = (Variant.SERVER,), "GetQrCodeImage"
        yield _call(shown, _CLINICAL, clinical, doctor, pictures, ", first", first_time=True, variants=first)
        yield _call("GetQrCodeImage", _CLINICAL, clinical, doctor, pictures[:1], ", cached", variants=WITHOUT_BASELINES)

    def lists(self) -> Iterator[Call]:
        """Yields the lists, the history and the search."""
        people = self._people
        for size in PAGES:
            page = [{"page_size": size}]
            yield _call("ListPrescriptions", _CLINICAL, clinical, people.doctor, page, f", {size}")
        yield _call("ListMyPrescriptions", _CLINICAL, clinical, people.patient, [{}])
        yield _call("GetMedicalHistory", _CLINICAL, clinical, people.patient, [{}])
        yield _call("ListDispensingHistory", _PHARMACY, pharmacy, people.pharmacist, [{"page_size": 20}], ", 20")
        yield _call("ListPatients", _CLINICAL, clinical, people.doctor, self._searches(), ", search")
        yield _call("ListAuditRecords", _AUTH, auth, people.admin, [{"page_size": 20}], ", 20")

    def _searches(self) -> list[dict[str, Any]]:
        accounts = [self._facts.patient(one.patient) for one in self._written]
        return [{"search": self._rows.full_name(account)} for account in accounts]

    def dispensing(self) -> Iterator[Call]:
        """Yields the pharmacist's steps; each works on prescriptions of its own."""
        pharmacist, lines = self._people.pharmacist, [self._lines(one) for one in self._dispensed]
        for name, ones, requests, reset in (
            ("ScanQrCode", self._scanned, [{"qr_code": self._rows.code_text(one)} for one in self._scanned], _PENDING),
            ("ValidatePrescription", self._validated, _named(self._validated), _SCANNED),
            ("DispensePrescription", self._dispensed, lines, _CLAIMED),
        ):
            arguments = (_ids(ones), self._pharmacist) if reset is _CLAIMED else (_ids(ones),)
            once: dict[str, Any] = {"once": True, "reset": reset, "reset_arguments": arguments}
            yield _call(name, _PHARMACY, pharmacy, pharmacist, requests, **once)

    def _lines(self, one: PrescriptionFacts) -> dict[str, Any]:
        line = {"quantity": 20, "unit_price": "0.85", "batch_number": "B-1", "expiry_date": "2099-12-31"}
        items = [{"item_id": _uuid(self._rows.item_id(one, position)), **line} for position in range(ITEMS)]
        return {"prescription_id": _uuid(one.id), "items": items}

    def writing(self) -> Iterator[Call]:
        """Yields the creation of a prescription with three items, and the sign-in."""
        item = {"medicine_name": "Paracetamol", "dosage": "500 mg", "frequency": "when needed", "quantity": 30}
        items = [{**item, "instructions": "At most eight a day.", "route": "oral", "duration_days": 10}] * ITEMS
        patient = _uuid(self._facts.patient_ids[self._written[0].patient])
        new = {"patient_id": patient, "diagnosis": "Acute sinusitis", "doctor_notes": "Review soon.", "items": items}
        yield _call("CreatePrescription", _CLINICAL, clinical, self._people.doctor, [new])
        known = [{"email": email(self._facts.patient(number)), "password": PASSWORD} for number in range(TURNS)]
        yield _call("Login", _AUTH, auth, (), known, variants=WITHOUT_BASELINES)


async def sign_in(hospital: Hospital, services: Services) -> People:
    """Signs the four callers in."""
    facts = hospital.facts
    accounts = (0, facts.doctor(0), facts.pharmacist(0), facts.patient(0))
    signed_in = [await services.sessions.login(email(account), PASSWORD) for account in accounts]
    return People(*((("authorization", f"Bearer {one.tokens.access_token}"),) for one in signed_in))


def _call(
    method: str,
    service: str,
    messages: ModuleType,
    metadata: Metadata,
    requests: Sequence[dict[str, Any]],
    detail: str = "",
    **options: Any,  # noqa: ANN401 - those of Call
) -> Call:
    """Returns the call of a method with requests that have these fields; `detail` follows its name in the report."""
    request_type = getattr(messages, f"{method}Request")
    response_type = getattr(messages, f"{method}Response")
    texts = tuple(json_format.ParseDict(fields, request_type()).SerializeToString() for fields in requests)
    return Call(f"{method}{detail}", f"{service}/{method}", request_type, response_type, metadata, texts, **options)


def _named(ones: Sequence[PrescriptionFacts]) -> list[dict[str, Any]]:
    return [{"prescription_id": _uuid(one.id)} for one in ones]


def _ids(ones: Sequence[PrescriptionFacts]) -> list[UUID]:
    return [UUID(one.id) for one in ones]


def _uuid(digits: str) -> str:
    return str(UUID(digits))
