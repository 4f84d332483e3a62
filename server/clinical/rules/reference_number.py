"""Creates and parses the reference numbers of prescriptions (RX) and patients (PAT).

``RX-YYYYMMDD-XXXXXXXC``: the day of issue, seven random Crockford base32 characters (35 bits), and a Luhn mod
32 check character over the eight digits and the seven. It catches every wrong character, and every swap of
two neighbours except ``0`` with ``Z``. Source: the domain page (formats);
https://www.crockford.com/base32.html; ISO/IEC 7812-1 (Luhn), taken mod 32.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from server.errors import ReferenceNumberInvalid
from server.typed_number import CROCKFORD, LOOK_ALIKES, compact

RANDOM_CHARACTERS: Final = 7

_BASE: Final = len(CROCKFORD)
_SHAPE: Final = re.compile(r"(RX|PAT)([0-9ILO]{8})([0-9A-TV-Z]{8})")


class ReferenceKind(StrEnum):
    """The kind of object that a reference number names; the value is its prefix."""

    PRESCRIPTION = "RX"
    PATIENT = "PAT"


@dataclass(frozen=True, slots=True)
class ReferenceNumber:
    """A well-formed number: its kind and its canonical text, as stored."""

    kind: ReferenceKind
    text: str


def new_prescription_number(day: date) -> str:
    """Returns a random ``RX-…`` number for a day. Two may collide (1 in 2^35): the caller then draws another."""
    return _new_number(ReferenceKind.PRESCRIPTION, day)


def new_patient_reference(day: date) -> str:
    """Returns a random ``PAT-…`` number for a day. Two may collide (1 in 2^35): the caller then draws another."""
    return _new_number(ReferenceKind.PATIENT, day)


def normalize(text: str) -> ReferenceNumber:
    """Parses a number as typed or scanned: without its dashes, in any case, I or L for 1 and O for 0 after the prefix.

    Raises ReferenceNumberInvalid when shape, day or check character is wrong.
    """
    typed = compact(text)
    match = _SHAPE.fullmatch(typed.upper()) if typed.isascii() else None  # `ı` would become I
    if match is None:
        raise ReferenceNumberInvalid()
    kind, digits, characters = match[1], match[2].translate(LOOK_ALIKES), match[3].translate(LOOK_ALIKES)
    if not _is_day(digits) or check_character(digits + characters[:-1]) != characters[-1]:
        raise ReferenceNumberInvalid()
    return ReferenceNumber(ReferenceKind(kind), f"{kind}-{digits}-{characters}")


def check_character(payload: str) -> str:
    """Returns the Luhn mod 32 check character of text in CROCKFORD.

    From the right, every other value is doubled and its digits are added.
    """
    total = 0
    for position, character in enumerate(reversed(payload)):
        value = CROCKFORD.index(character) * (1 if position % 2 else 2)
        total += value // _BASE + value % _BASE
    return CROCKFORD[-total % _BASE]


def _new_number(kind: ReferenceKind, day: date) -> str:
    digits = day.isoformat().replace("-", "")
    characters = "".join(secrets.choice(CROCKFORD) for _ in range(RANDOM_CHARACTERS))
    return f"{kind}-{digits}-{characters}{check_character(digits + characters)}"


def _is_day(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True
