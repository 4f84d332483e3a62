"""The rows of each table of the generated hospital, in PostgreSQL's text format for COPY."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from benchmarks.hospital.facts import Facts, Kind, PrescriptionFacts, day_of, moment
from server import name_search, search_keys
from server.clinical.entities import QrTextFormat
from server.clinical.rules.reference_number import check_character
from server.qr import signed_code
from server.qr.key_ring import QrKeyRing
from server.qr.signed_code import QrContent
from server.typed_number import CROCKFORD

Row = tuple[str, ...]
NULL: Final = "\\N"
ITEMS: Final = 3
VALID_SECONDS: Final = 30 * 86_400
CODE_SECONDS: Final = 7 * 86_400
EMAIL_DAYS: Final = 25
"""Finished emails are spread over fewer days than the service keeps them."""

_ILLNESSES: Final = ("Acute sinusitis", "Asthma", "Bronchitis", "Hypertension", "Migraine", "Otitis media", "Eczema")
_MEDICINES: Final = (
    ("Doxycycline", "100 mg", "twice a day", "oral"),
    ("Paracetamol", "500 mg", "when needed", "oral"),
    ("Xylometazoline spray", "0.1 %", "three times a day", "nasal"),
    ("Salbutamol inhaler", "100 µg", "when needed", "inhaled"),
    ("Amlodipine", "5 mg", "once a day", "oral"),
    ("Hydrocortisone cream", "1 %", "twice a day", "on the skin"),
)
_BLOOD: Final = ("A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-")
_COMPLETED: Final = '{"kind": "prescription", "recipient": "a***@generated.example", "attempts": 1, "error": ""}'
"""The details of an email's change, as the database's trigger records them."""
_ODD: Final = 20_201_227_991
"""An odd factor: multiplication by it permutes the numbers below 2^35, so reference numbers never repeat."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TableData:
    """A table, the columns that are written, the number of rows and the rows."""

    name: str
    columns: tuple[str, ...]
    count: int
    rows: Callable[[], Iterator[Row]]


class Rows:
    """Makes the rows; keys: for the QR codes; password_hash: of the password that all accounts share."""

    def __init__(self, facts: Facts, keys: QrKeyRing, password_hash: str) -> None:
        self._facts = facts
        self._keys = keys
        self._password_hash = password_hash
        self._size = facts.size
        self._user_ids = facts.user_ids
        self._patient_ids = facts.patient_ids

    def users(self) -> Iterator[Row]:
        """Yields the accounts: an admin, doctors, pharmacists and patients."""
        since = moment(self._facts.start)
        for number in range(self._size.accounts):
            role, license_number, pharmacy = self._role(number)
            name = self.full_name(number)
            yield (
                *(self._user_ids[number], email(number), self._password_hash, name, keys(name), role, "active"),
                *(license_number, pharmacy, since, since, since),
            )

    def user_names(self) -> Iterator[Row]:
        """Yields the name of each account."""
        for number in range(self._size.accounts):
            _, license_number, pharmacy = self._role(number)
            yield self._user_ids[number], "-infinity", self.full_name(number), license_number, pharmacy

    def organisations(self) -> Iterator[Row]:
        """Yields the pharmacies: one of each pharmacist."""
        since = moment(self._facts.start)
        for number in range(self._size.pharmacists):
            name = self._role(self._facts.pharmacist(number))[2]
            yield self.pharmacy_id(number), "pharmacy", name, f"{name.lower()}\\n", since

    def memberships(self) -> Iterator[Row]:
        """Yields the membership of each pharmacist."""
        since = moment(self._facts.start)
        for number in range(self._size.pharmacists):
            membership = self._facts.id(Kind.MEMBERSHIP, number, self._facts.start)
            account = self._user_ids[self._facts.pharmacist(number)]
            yield membership, account, self.pharmacy_id(number), "member", since

    def patients(self) -> Iterator[Row]:
        """Yields the patients' records."""
        since = moment(self._facts.start)
        for number in range(self._size.patients):
            account = self._facts.patient(number)
            name, drawn = self.full_name(account), self._facts.draw(Kind.PATIENT, number)
            phone, born = f"+1 555 {number:07d}", day_of(drawn % 1_900_000_000 - 400_000_000)
            yield (
                *(self._patient_ids[number], self._user_ids[account], patient_reference(number), name),
                *(name_search.fold(name), keys(name, phone, born), phone, born),
                ("female", "male", "other")[drawn % 3],
                *(_BLOOD[drawn % 8], f"{drawn % 200} Garden Street", "{Penicillin}" if drawn % 10 == 0 else "{}"),
                *("Healthy Life", f"HL-{number}", since, since, since, "earlier_record"),
            )

    def patient_names(self) -> Iterator[Row]:
        """Yields the name of each patient."""
        for number in range(self._size.patients):
            yield self._patient_ids[number], "-infinity", self.full_name(self._facts.patient(number))

    def visits(self) -> Iterator[Row]:
        """Yields the visits: every other prescription was written at one."""
        for one in self.prescription_facts(step=2):
            illness = _ILLNESSES[one.variant % len(_ILLNESSES)]
            yield (
                *(self.visit_id(one), self._patient_ids[one.patient], self.doctor_id(one)),
                *(day_of(one.created), "consultation", "Cough and fever", illness, "Rest and fluids."),
                moment(one.created),
            )

    def prescriptions(self) -> Iterator[Row]:
        """Yields the prescriptions."""
        for one in self.prescription_facts():
            created, changed = moment(one.created), moment(one.dispensed)
            yield (
                *(one.id, prescription_number(one), self._patient_ids[one.patient], self.doctor_id(one)),
                NULL if one.number % 2 else self.visit_id(one),
                *(_ILLNESSES[one.variant % len(_ILLNESSES)], "Review in ten days.", one.status, created),
                *(moment(one.created + VALID_SECONDS), created if one.status == "pending" else changed),
                changed if one.status == "dispensed" else NULL,
            )

    def items(self) -> Iterator[Row]:
        """Yields the items: three of each prescription."""
        for one in self.prescription_facts():
            for position in range(ITEMS):
                medicine, dosage, frequency, route = _MEDICINES[(one.variant + position) % len(_MEDICINES)]
                yield (
                    *(self.item_id(one, position), one.id, str(position), medicine, dosage, frequency, "20"),
                    *("Take with water.", route, "10", "20" if one.status == "dispensed" else "0"),
                )

    def codes(self) -> Iterator[Row]:
        """Yields the QR codes, with the hashes of texts that really decrypt."""
        key_id = self._keys.key_ids[0]
        for one in self.prescription_facts():
            content = self.code_content(one)
            nonce = self.nonce(one)
            text = self.code_text(one)
            yield (
                *(content.code_id.hex, one.id, key_id, f"\\\\x{nonce.hex()}", signed_code.fingerprint(text)),
                *(moment(one.created), moment(one.created + CODE_SECONDS), str(int(one.status == "dispensed"))),
                str(QrTextFormat.LETTERS.value),
            )

    def log(self) -> Iterator[Row]:
        """Yields the pharmacies' log: scan, validation and dispensing of each dispensed prescription."""
        steps = (("scan", "pending", "scanned"), ("validate", "scanned", "validated"),
                 ("dispense", "validated", "dispensed"))  # fmt: skip
        for one in self.dispensed():
            pharmacist = self._user_ids[self._facts.pharmacist(one.pharmacist)]
            for step, (action, before, after) in enumerate(steps):
                occurred = moment(one.dispensed - 2 + step)
                yield self.log_id(one, step), one.id, pharmacist, action, before, after, occurred

    def lines(self) -> Iterator[Row]:
        """Yields the dispensed lines: the whole quantity of each item."""
        for one in self.dispensed():
            for position in range(ITEMS):
                yield (
                    *(self._facts.id(Kind.LINE, one.number * ITEMS + position, one.dispensed), self.log_id(one, 2)),
                    *(self.item_id(one, position), "0", "20", "0.85", "USD", f"B-{one.variant}", "2099-12-31"),
                )

    def events(self) -> Iterator[Row]:
        """Yields two events for each prescription, with their positions in the feed: its creation, and its email."""
        for one in self.prescription_facts():
            number = one.number + 1
            yield str(number), "prescription.created", one.id, "{}", moment(one.created), str(number)
        for one in self.prescription_facts():
            number, sent = self._size.prescriptions + one.number + 1, self._sent(one)
            yield str(number), "email.completed", self.email_id(one), _COMPLETED, moment(sent), str(number)

    def emails(self) -> Iterator[Row]:
        """Yields an email for each prescription; all were sent within the time for which the service keeps them."""
        for one in self.prescription_facts():
            account, sent = self._facts.patient(one.patient), moment(self._sent(one))
            yield (
                *(self.email_id(one), "prescription", self._user_ids[account]),
                *(email(account), one.id, "completed", "1", sent, sent, sent, sent, str(one.number + 1)),
            )

    def email_id(self, one: PrescriptionFacts) -> str:
        """Returns the id of the email about a prescription."""
        return self._facts.id(Kind.EMAIL, one.number, self._sent(one))

    def _sent(self, one: PrescriptionFacts) -> int:
        seconds = EMAIL_DAYS * 86_400
        return self._facts.end - seconds + one.number * seconds // self._size.prescriptions

    def dispensed(self) -> Iterator[PrescriptionFacts]:
        """Yields the facts of the dispensed prescriptions."""
        return (one for one in self.prescription_facts() if one.status == "dispensed")

    def prescription_facts(self, step: int = 1) -> Iterator[PrescriptionFacts]:
        """Yields the facts of every prescription, or of every other one."""
        return map(self._facts.prescription, range(0, self._size.prescriptions, step))

    def doctor_id(self, one: PrescriptionFacts) -> str:
        """Returns the account of the doctor who wrote a prescription."""
        return self._user_ids[self._facts.doctor(one.doctor)]

    def item_id(self, one: PrescriptionFacts, position: int) -> str:
        """Returns the id of an item of a prescription."""
        return self._facts.id(Kind.ITEM, one.number * ITEMS + position, one.created)

    def visit_id(self, one: PrescriptionFacts) -> str:
        """Returns the id of the visit at which a prescription with an even number was written."""
        return self._facts.id(Kind.VISIT, one.number, one.created)

    def log_id(self, one: PrescriptionFacts, step: int) -> str:
        """Returns the id of an entry of the pharmacies' log."""
        return self._facts.id(Kind.LOG, one.number * 3 + step, one.dispensed - 2 + step)

    def nonce(self, one: PrescriptionFacts) -> bytes:
        """Returns the nonce of a prescription's QR code."""
        return struct.pack(">QI", self._facts.draw(Kind.NONCE, one.number), one.number)

    def code_content(self, one: PrescriptionFacts) -> QrContent:
        """Returns the content of a prescription's QR code."""
        code = self._facts.id(Kind.CODE, one.number, one.created)
        return QrContent(UUID(one.id), UUID(code))

    def code_text(self, one: PrescriptionFacts) -> str:
        """Returns the text of a prescription's QR code, as a pharmacy scans it."""
        return signed_code.encode(self.code_content(one), self.nonce(one), self._keys.key_ids[0], self._keys)

    def full_name(self, account: int) -> str:
        """Returns the name of an account's owner."""
        return " ".join(self._facts.name(account))

    def pharmacy_id(self, number: int) -> str:
        """Returns the id of the pharmacy of a pharmacist by their number, from 0."""
        return self._facts.id(Kind.ORGANISATION, number, self._facts.start)

    def _role(self, number: int) -> tuple[str, str, str]:
        if number == 0:
            return "admin", "", ""
        if number <= self._size.doctors:
            return "doctor", f"MD-{number}", ""
        if number <= self._size.doctors + self._size.pharmacists:
            return "pharmacist", f"PH-{number}", f"Pharmacy {number}"
        return "patient", "", ""


def email(account: int) -> str:
    """Returns the email address of an account."""
    return f"account{account}@generated.example"


def keys(name: str, phone: str = "", born: str = "") -> str:
    """Returns the `tsvector` by which a person is found."""
    day = date.fromisoformat(born) if born else None
    return " ".join(f"'{key}'" for key in search_keys.stored(name, phone, day))


def prescription_number(one: PrescriptionFacts) -> str:
    """Returns the reference number of a prescription."""
    return _reference("RX", day_of(one.created).replace("-", ""), one.number)


def patient_reference(number: int) -> str:
    """Returns the reference number of a patient."""
    return _reference("PAT", "20200101", number)


def _reference(prefix: str, digits: str, number: int) -> str:
    value = number * _ODD & (1 << 35) - 1
    characters = "".join(CROCKFORD[value >> shift & 31] for shift in range(0, 35, 5))
    return f"{prefix}-{digits}-{characters}{check_character(digits + characters)}"
