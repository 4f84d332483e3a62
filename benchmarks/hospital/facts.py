"""Derives all facts of the generated hospital from numbers, so that each table can be written on its own.

Patient 17 has the same id, name and prescriptions in every table, because each fact is a function of the seed, the kind
of object and its number. Source of the mixing function: Steele, Lea, Flood, "Fast splittable pseudorandom number
generators" (SplitMix64).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Final

PASSWORD: Final = "example-only-7Qd2"
"""The password of every generated account."""

YEARS: Final = 5
OPEN_SHARE: Final = 0.05
"""The share of prescriptions that can still be dispensed: the newest ones."""
OPEN_DAYS: Final = 5
"""The open prescriptions were written during the last days, when their QR codes are still valid."""
CLOSED_DAYS: Final = 40
"""The other prescriptions are older than this many days."""
PATIENTS_PER_DOCTOR: Final = 400
PATIENTS_PER_PHARMACIST: Final = 800

_CLOSED_SECONDS: Final = (YEARS * 365 - CLOSED_DAYS) * 86_400
_OPEN_SECONDS: Final = OPEN_DAYS * 86_400
_FINAL: Final = ("dispensed",) * 65 + ("expired",) * 20 + ("cancelled",) * 10 + ("rejected",) * 5
"""The states in which closed prescriptions ended, by a number from 0 to 99."""

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST: Final = _words(
    "Ada Amara Bruno Carla Chen Clara Dario Elif Emeka Farah Felix Greta Hana Ibrahim Ines Jonas Kofi Lena Leyla Lucia"
    " Mateo Mei Milan Nadia Noor Olga Omar Paula Ravi Rosa Samir Sofia Tariq Tomas Uma Vera Wanda Yara Yusuf Zora"
)
_HEADS: Final = _words("Al Bal Bren Cor Dal Den El Fal Gar Hol Jan Kal Kov Lind Mar Mor Nak Nor Ok Pet Ros San Sil Tor")
_MIDDLES: Final = _words("a e i o u ar en er in ol")
_TAILS: Final = _words(
    "berg dal den dez feld gren ira jan ko lov man mer nak qvist ran ska sen son stra ta ti tis vic wa"
)


class Kind(IntEnum):
    """The kinds of objects; each draws numbers of its own."""

    USER = 1
    PATIENT = 2
    VISIT = 3
    PRESCRIPTION = 4
    ITEM = 5
    CODE = 6
    LOG = 7
    LINE = 8
    EMAIL = 9
    AUDIT = 10
    NONCE = 11
    ORGANISATION = 12
    MEMBERSHIP = 13


@dataclass(frozen=True)
class Size:
    """The number of patients and prescriptions; all other numbers follow from them."""

    patients: int
    prescriptions: int

    @classmethod
    def scaled(cls, scale: float) -> "Size":
        """Returns a share of the whole hospital: 1 is 200,000 patients with 1,000,000 prescriptions."""
        return cls(max(1, round(200_000 * scale)), max(1, round(1_000_000 * scale)))

    @cached_property
    def doctors(self) -> int:
        """The number of doctors."""
        return max(2, self.patients // PATIENTS_PER_DOCTOR)

    @cached_property
    def pharmacists(self) -> int:
        """The number of pharmacists."""
        return max(2, self.patients // PATIENTS_PER_PHARMACIST)

    @cached_property
    def accounts(self) -> int:
        """The number of accounts: an admin, the doctors, the pharmacists and the patients."""
        return 1 + self.doctors + self.pharmacists + self.patients

    @cached_property
    def open(self) -> int:
        """The number of prescriptions that can still be dispensed."""
        return max(1, round(self.prescriptions * OPEN_SHARE))

    @cached_property
    def closed(self) -> int:
        """The number of the older prescriptions."""
        return self.prescriptions - self.open


@dataclass(frozen=True)
class Facts:
    """The facts of one hospital. `day`: the day on which its data ends."""

    size: Size
    seed: int
    day: date

    @staticmethod
    def day_after(start: date) -> date:
        """Returns the `day` of data that begins at a day."""
        return start + timedelta(days=YEARS * 365)

    @cached_property
    def end(self) -> int:
        """The time of the newest data, in Unix seconds."""
        return int(datetime.combine(self.day, datetime.min.time(), UTC).timestamp())

    @cached_property
    def start(self) -> int:
        """The time of the oldest data, in Unix seconds."""
        return self.end - YEARS * 365 * 86_400

    def draw(self, kind: Kind, number: int) -> int:
        """Returns a pseudorandom integer of 64 bits."""
        z = (number * _GOLDEN + (self.seed << 8 | kind) * 0xD1B54A32D192ED03) & _MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
        return z ^ z >> 31

    def id(self, kind: Kind, number: int, seconds: int) -> str:
        """Returns the UUIDv7 of an object, as 32 hexadecimal digits, with the milliseconds of its creation."""
        drawn = self.draw(kind, number)
        return f"{seconds * 1000:012x}7{drawn >> 52:03x}{drawn & (1 << 62) - 1 | 2 << 62:016x}"

    @cached_property
    def user_ids(self) -> list[str]:
        """The ids of the accounts: the admin is 0, then come the doctors, the pharmacists and the patients."""
        return [self.id(Kind.USER, number, self.start) for number in range(self.size.accounts)]

    @cached_property
    def patient_ids(self) -> list[str]:
        """The ids of the patients' records."""
        return [self.id(Kind.PATIENT, number, self.start) for number in range(self.size.patients)]

    def doctor(self, number: int) -> int:
        """Returns the account of a doctor by their number, from 0."""
        return 1 + number

    def pharmacist(self, number: int) -> int:
        """Returns the account of a pharmacist by their number, from 0."""
        return 1 + self.size.doctors + number

    def patient(self, number: int) -> int:
        """Returns the account of a patient by their number, from 0."""
        return 1 + self.size.doctors + self.size.pharmacists + number

    def name(self, account: int) -> tuple[str, str]:
        """Returns the first and the last name of an account's owner; last names are shared by few people."""
        drawn = self.draw(Kind.USER, account)
        rest, first = divmod(drawn, len(_FIRST))
        rest, head = divmod(rest, len(_HEADS))
        rest, middle = divmod(rest, len(_MIDDLES))
        return _FIRST[first], _HEADS[head] + _MIDDLES[middle] + _TAILS[rest % len(_TAILS)]

    def prescription(self, number: int) -> "PrescriptionFacts":
        """Returns the facts of a prescription by its number, oldest first."""
        return PrescriptionFacts.of(self, number)


@dataclass(slots=True)
class PrescriptionFacts:
    """The facts of a prescription; times are Unix seconds."""

    number: int
    id: str
    created: int
    patient: int
    """The patient's number."""
    doctor: int
    """The doctor's number."""
    pharmacist: int
    """The number of the pharmacist who handles it."""
    status: str
    variant: int
    """Chooses the illness and the medicines."""

    @classmethod
    def of(cls, facts: Facts, number: int) -> "PrescriptionFacts":
        """Derives the facts of a prescription."""
        size, closed = facts.size, facts.size.closed
        if number < closed:
            created = facts.start + number * _CLOSED_SECONDS // closed
        else:
            created = facts.end - _OPEN_SECONDS + (number - closed) * _OPEN_SECONDS // size.open
        drawn, outcome = divmod(facts.draw(Kind.PRESCRIPTION, number), 100)
        drawn, variant = divmod(drawn, 1000)
        patient = drawn % size.patients
        return cls(
            number,
            facts.id(Kind.PRESCRIPTION, number, created),
            created,
            patient,
            patient % size.doctors,
            (patient // size.doctors + variant) % size.pharmacists,
            _FINAL[outcome] if number < closed else "pending",
            variant,
        )

    @property
    def dispensed(self) -> int:
        """The time at which it was dispensed, if it was."""
        return self.created + 3600


def day_of(seconds: int) -> str:
    """Returns the day of a time in UTC: `YYYY-MM-DD`."""
    return _day(seconds // 86_400)


def moment(seconds: int) -> str:
    """Returns a time as PostgreSQL reads it."""
    days, second = divmod(seconds, 86_400)
    minute, second = divmod(second, 60)
    return f"{_day(days)} {minute // 60:02d}:{minute % 60:02d}:{second:02d}+00"


@lru_cache(8192)
def _day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()
