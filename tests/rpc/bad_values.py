"""Values that no field of a write may contain, by the kind of the field.

The list does not use the rules in the protos: these values are invalid because of the fields' meaning.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from google.protobuf.descriptor import FieldDescriptor
from medconnect.options.v1 import access_pb2

NUL: Final = "x\0y"
TOO_LONG: Final = "x" * 5_000
"""No text field of the product accepts more than 4,000 characters."""

BLANK: Final = "\u3164\u2060"
PRIVATE: Final = "x\ue000y"
ANY_TEXT: Final = (NUL, TOO_LONG)
DECEIVING: Final = (BLANK, PRIVATE, "x\u202ey", "x\ufff9y", "x\ufdd0y", "1\u200f/\u200f2")
"""Forbidden in every text that is shown."""
BLOCK: Final = ("x\x08y", "x\x1b[31my", "x\x7fy", "x\x85y", "x\u2028y")
"""Forbidden even in texts of several lines."""
LINE: Final = ("x\ny", "x\r\nBcc: victim@example.org", "x\ty", *BLOCK)

IDENTIFIERS: Final = (
    "x",
    "17",
    "not-a-uuid-but-of-the-same-length-xx",
    "0000000000000000000000000000000000",
    "{01a2061d-9150-7d0b-9b78-949c3c0b91f1}",
    "urn:uuid:01a2061d-9150-7d0b-9b78-949c3c0b91f1",
    "01a2061d-9150-7d0b-9b78-949c3c0b91f1\x0b",
    "' OR 1=1 --",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    str(uuid4()),
)

DATES: Final = (
    "2026-02-30",
    "2025-02-29",
    "2026-13-01",
    "2026-00-10",
    "2026-01-00",
    "0000-01-01",
    "0001-01-01",
    "1899-12-31",
    "9999-12-31",
    "26-01-01",
    "2026-1-1",
    "20260101",
    "2026-W01-1",
    "2026-01-01T00:00:00Z",
    "-2026-01-01",
    "01.02.2026",
    "tomorrow",
    "２０２６-０１-０１",
    "2026- 01-01",
    "2026-01-01\x0b",
)

PRICES: Final = (
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "-1",
    "-0.01",
    "+1",
    "1e3",
    "1E+2",
    "0x10",
    "1_000",
    "12.345",
    "0.001",
    "1000000.01",
    "9999999.99",
    "10000000",
    "9" * 40,
    ".5",
    "1.",
    "1,00",
    "１.00",
    "٣",
    "1 0",
    "1\x0b",
    "free",
)

EMAILS: Final = (
    "x",
    "@example.org",
    "a@",
    "a b@example.org",
    "a@b@example.org",
    "A <a@example.org>",
    "a@example.org,b@example.org",
    "a@example.org\r\nBcc: victim@example.org",
    "a@example.org\0",
    "a" * 250 + "@example.org",
    ".a@example.org",
    "a.@example.org",
    "a..b@example.org",
    "ä..b@example.org",
    "ä@-bücher.example",
    "a@bü cher.example",
    "ä" * 128 + "@example.org",
    "=?utf-8?q?a=0d=0aBcc:victim=40example.org?=@example.org",
)

QUANTITIES: Final = (
    *("0", "0.000", "-1", "+1", "1e3", "1_000", "NaN", "Infinity", "0x10", "2,5", ".5", "1."),
    *("2.5555", "10000.001", "99999", "9" * 40, "٣", "２.5", "1/2", "2.5 ml", "many"),
)
PHONES: Final = (
    "12",
    "+",
    "call me",
    "1" * 40,
    "+49 30 1234\n5678",
    "+49 30 x",
    "1234",
    "(0)-(1)-2",
    "0" * 21,
    "030 12345 or 6",
    "١٢٣",
)
BLOOD_TYPES: Final = ("C+", "a+", "A +", "0+", "A", "AB++")
BLOOD_PRESSURES: Final = ("x", "120", "120/", "120/80/40", "1200/80", "-120/80", "120/80\x0b", "NaN/80")
QR_TEXTS: Final = (
    "x",
    "MC1",
    "MC1.",
    "MC1..",
    "MC1.k.####",
    "MC1.none.AAAA",
    "MC9.k.AAAA",
    "RX-20261122-7K3M9QTD",
    "ü🔥",
)
REFERENCES: Final = (
    "x",
    "RX",
    "RX-20261122",
    "RX-20260230-00000000",
    "RX-20261122-UUUUUUUU",
    "RX-20261122-7K3M9QT",
    "PAT-99999999-00000000",
    "ＲＸ-20261122-00000000",
    "x" * 40,
)
CLEARED: Final = ("fullName", "email", "id", "version", "blood_type", "x")

INTEGERS: Final = (0, -1, 2**31 - 1, -(2**31))
DOUBLES: Final = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e-300, 1e308, -1e308)
ENUMS: Final = (99, -1, 2**31 - 1)

BY_NAME: Final[Mapping[str, Sequence[str]]] = {
    "email": EMAILS,
    "phone": PHONES,
    "emergency_phone": PHONES,
    "unit_price": PRICES,
    "exact_quantity": QUANTITIES,
    "blood_type": BLOOD_TYPES,
    "blood_pressure": BLOOD_PRESSURES,
    "qr_code": QR_TEXTS,
    "reference_number": REFERENCES,
    "clear": CLEARED,
    "date_of_birth": DATES,
    "valid_from": DATES,
    "password": ("short",),
}
BY_ENDING: Final[Mapping[str, Sequence[str]]] = {"_id": IDENTIFIERS, "_date": DATES}

ONLY_TEXT: Final = frozenset({"medconnect.auth.v1.LoginRequest.email", "medconnect.auth.v1.LoginRequest.password"})
"""Signing in returns INVALID_CREDENTIALS for any address without an account, well formed or not."""
ANY_HEIGHT: Final = frozenset(
    {"medconnect.clinical.v1.UpdatePatientRequest.version", "medconnect.clinical.v1.UpdateProfileRequest.version"}
)
"""A version that the record does not have yet is a conflict, not an invalid number."""
ZERO_IS_DEFAULT: Final = frozenset({"page_size"})
"""Fields whose 0 means their default (AIP-158)."""

# Values that only JSON can express.
LONE_SURROGATES: Final = ("x\ud800", "\udc00y", "\ud83dz")
JSON_TEXTS: Final[Sequence[Any]] = (12, 1.5, True, {}, {"a": "b"}, [], ["x"], 10**400, *LONE_SURROGATES)
JSON_INTEGERS: Final[Sequence[Any]] = (
    "x",
    "NaN",
    "1.5",
    1.5,
    True,
    {},
    [],
    2**31,
    -(2**31) - 1,
    2**63,
    10**400,
    float("nan"),
)
JSON_DOUBLES: Final[Sequence[Any]] = ("x", "NaN", "Infinity", True, {}, [], 10**400, -(10**300), float("nan"))
JSON_BOOLS: Final[Sequence[Any]] = ("x", 12, 1.5, {}, [], 2**63)
JSON_ENUMS: Final[Sequence[Any]] = ("x", "unspecified", "-1", 99, 1.5, True, {}, [])
JSON_LISTS: Final = (12, True, 1.5)
JSON_OBJECTS: Final = ("x", 12, True)

BODIES: Final = (
    b"[]",
    b'"x"',
    b"12",
    b"{",
    b"}",
    b"{]",
    b"\xff\xfe",
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b"null x",
)
"""Values that are not JSON objects."""


def texts(field: FieldDescriptor) -> list[str]:
    """Returns the values that a text field must refuse."""
    option = field.GetOptions().Extensions[access_pb2.text]
    found = [*ANY_TEXT, *_of_kind(field)]
    if option != access_pb2.TEXT_VERBATIM:
        found += DECEIVING
        found += LINE if option == access_pb2.TEXT_UNSPECIFIED else BLOCK
    if field.is_repeated or not field.has_presence:
        found.append("")
    return found


def numbers(field: FieldDescriptor) -> list[Any]:
    """Returns the values that a number or an enum must refuse."""
    if field.enum_type is not None:
        return [*ENUMS, 0]
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return list(DOUBLES)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return []  # any number on the wire is a valid bool
    most = 0 if field.full_name in ANY_HEIGHT else 2**31
    return [value for value in INTEGERS if value <= most and not (value == 0 and field.name in ZERO_IS_DEFAULT)]


def of_field(field: FieldDescriptor) -> list[Any]:
    """Returns the values that gRPC can carry and the field, or each element of it, must refuse."""
    return texts(field) if field.type == FieldDescriptor.TYPE_STRING else numbers(field)


def of_json(field: FieldDescriptor) -> list[Any]:
    """Returns the values that only JSON can carry and the field, or each element of it, must refuse."""
    if field.message_type is not None:
        return list(JSON_OBJECTS)
    if field.enum_type is not None:
        return list(JSON_ENUMS)
    kinds = {
        FieldDescriptor.TYPE_STRING: JSON_TEXTS,
        FieldDescriptor.TYPE_DOUBLE: JSON_DOUBLES,
        FieldDescriptor.TYPE_BOOL: JSON_BOOLS,
    }
    values = kinds.get(field.type, JSON_INTEGERS)
    # Envoy takes a list inside a list for more elements of the outer one: `["a", ["b"]]` is `["a", "b"]`.
    return [value for value in values if not (field.is_repeated and isinstance(value, list))]


def _of_kind(field: FieldDescriptor) -> Sequence[str]:
    if field.full_name in ONLY_TEXT:
        return ()
    by_ending = (values for ending, values in BY_ENDING.items() if field.name.endswith(ending))
    return BY_NAME.get(field.name) or next(by_ending, ())


def unreadable(value: Any) -> bool:
    """Returns whether every protobuf parser rejects it: the answer may be MALFORMED_BODY, which names no field."""
    if isinstance(value, float | int):
        return not -(10**300) <= value <= 10**300
    return isinstance(value, list) or value in LONE_SURROGATES
