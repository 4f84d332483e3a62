"""Damages valid bodies: protobuf by its bytes, JSON by its bytes and by its values."""

import json
import random
import string
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

MOST_BYTES: Final = 60_000
"""Other tests cover larger bodies: each is refused by its size, unread."""
DEEP: Final = 10_000

_Damage = Callable[[bytes, bytes, random.Random], bytes]


def mutated(body: bytes, other: bytes, chance: random.Random) -> bytes:
    """Returns a protobuf body with one to four kinds of damage; `other` is a valid body to splice it with."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        body = chance.choice(_DAMAGES)(body, other, chance)
    return body[:MOST_BYTES]


def _flip_a_bit(body: bytes, _: bytes, chance: random.Random) -> bytes:
    if not body:
        return b"\x01"
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]


def _insert(body: bytes, piece: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(body))
    return body[:at] + piece + body[at:]


def _insert_noise(body: bytes, _: bytes, chance: random.Random) -> bytes:
    return _insert(body, chance.randbytes(chance.randint(1, 20)), chance)


def _insert_awkward(body: bytes, _: bytes, chance: random.Random) -> bytes:
    return _insert(body, chance.choice(_AWKWARD), chance)


def _cut_out(body: bytes, _: bytes, chance: random.Random) -> bytes:
    first, last = sorted((chance.randint(0, len(body)), chance.randint(0, len(body))))
    return body[:first] + body[last:]


def _cut_off(body: bytes, _: bytes, chance: random.Random) -> bytes:
    return body[: chance.randint(0, len(body))]


def _repeat(body: bytes, _: bytes, chance: random.Random) -> bytes:
    return body * chance.choice((2, 3, 60))


def _splice(body: bytes, other: bytes, chance: random.Random) -> bytes:
    return body[: chance.randint(0, len(body))] + other[chance.randint(0, len(other)) :]


def _retag(body: bytes, _: bytes, chance: random.Random) -> bytes:
    """Puts another wire type or field number where a field most likely begins."""
    return bytes([chance.randrange(256)]) + body[1:]


def _noise(_: bytes, __: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(0, 200))


def _field(number: int, content: bytes) -> bytes:
    """Returns a length-delimited field."""
    length, size = len(content), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


_AWKWARD: Final = (
    b"\xff" * 10 + b"\x01",  # a varint that is too long
    b"\x08" + b"\xff" * 9 + b"\x01",  # -1
    b"\x0a\xff\xff\xff\xff\x0f",  # four gigabytes follow
    b"\x0b" * 200,  # a group without an end
    b"\x0c",  # the end of a group without a beginning
    b"\x0e\x0f",  # wire types that do not exist
    b"\x00",  # field number 0
    *(
        _field(number, text)
        for number in range(1, 13)
        for text in (b"\xed\xa0\x80", b"\xff\xfe", b"\0", "\u202e\u0301".encode(), b"x" * 5_000, b"NaN", b"")
    ),
    *(_field(number, _field(1, _field(1, _field(1, b"\x08\x01")))) for number in range(1, 13)),
)

_DAMAGES: Final[tuple[_Damage, ...]] = (
    *(
        _flip_a_bit,
        _insert_noise,
        _insert_awkward,
        _insert_awkward,
        _cut_out,
        _cut_off,
        _repeat,
        _splice,
        _retag,
        _noise,
    ),
)


def mutated_json(fields: Mapping[str, Any], chance: random.Random) -> bytes:
    """Returns the fields as a JSON body that is damaged in its values, its members or its bytes."""
    if chance.random() < 0.6:
        return _with_a_bad_value(fields, chance)
    return chance.choice(_JSON_DAMAGES)(json.dumps(fields).encode(), chance)


def mutated_text(chance: random.Random) -> str:
    """Returns percent-encoded text that a path or a query can contain but should not."""
    noise = "".join(chance.choices(string.printable, k=chance.randint(1, 30)))
    return chance.choice((*_BAD_TEXTS, quote(noise, safe=""), quote(chance.randbytes(6))))


def _with_a_bad_value(fields: Mapping[str, Any], chance: random.Random) -> bytes:
    """Returns JSON text with an invalid value, which a JSON library would not write, at any depth."""
    copy = json.loads(json.dumps(fields))
    holder: Any = copy
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            break
        key = chance.choice(keys)
        if not isinstance(holder[key], dict | list) or chance.random() < 0.5:
            holder[key] = _HERE
            break
        holder = holder[key]
    return json.dumps(copy).encode().replace(f'"{_HERE}"'.encode(), chance.choice(_BAD_VALUES))


_HERE: Final = "here-stands-the-bad-value"
_BAD_VALUES: Final = (
    *(b"1e400", b"-1e400", b"1e-400", b"NaN", b"Infinity", b"-0", b"1.5", b"0x10", b"007", b"+1", b"1" * 400),
    *(b"2147483648", b"-2147483649", b"9223372036854775808", b"1e2", b"1e999999999999"),
    *(b"null", b"true", b"{}", b"[]", b"[null]", b'{"a":{}}', b'""', b'"NaN"', b'"1e5"', b"[[[[1]]]]", b'["x",1,{}]'),
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\0"', b'"\\x41"', b'"\n"', b'"\\'),
    *(b'"\xff"', b'"\xc3\x28"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b'"\xef\xbb\xbf"'),
    *(b"[" * DEEP, b'{"a":' * DEEP, b"[" * 90 + b"]" * 90, b'"' + b"x" * 5_000 + b'"', b"[" + b"1," * 600 + b"1]"),
    *('"\u202e"'.encode(), '"e\u0301"'.encode(), '"\u2028"'.encode(), b'"%00"', b'"\\u000d\\u000aBcc: x@example.org"'),
    *(b"'x'", b"undefined", b"/* x */ 1", b"", b'"x" "y"', b"1 2"),
)
_BAD_TEXTS: Final = (
    *("%00", "%ff", "%c3%28", "%ed%a0%80", "%0d%0a", "%2e%2e", "..", "%2f", "%5c", "%252f", "*", "'", "%22", "{}"),
    *("1e400", "NaN", "-1", "9" * 400, "null", "true", "[]", "%F0%9F%98%80", "%u0041", "%", "%zz", "x" * 3_000),
)


def _bytes_flipped(body: bytes, chance: random.Random) -> bytes:
    return _flip_a_bit(body, b"", chance)


def _bytes_inserted(body: bytes, chance: random.Random) -> bytes:
    pieces = (b"\0", b"\xff", b"\xc3\x28", b"\xef\xbb\xbf", b"{", b"]", b'"', b",", b"\\", b"\\u12", b"//x\n", b"\x1f")
    return _insert(body, chance.choice(pieces), chance)


def _given_twice(body: bytes, chance: random.Random) -> bytes:
    fields = json.loads(body)
    if not fields:
        return b'{"a":1,"a":2}'
    name = json.dumps(chance.choice(list(fields)))
    value = chance.choice((json.dumps(fields[json.loads(name)]).encode(), *_BAD_VALUES[:20]))
    return b"{" + name.encode() + b":" + value + b"," + body[1:]


_JSON_DAMAGES: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _bytes_flipped,
    _bytes_inserted,
    _given_twice,
    lambda body, chance: body[: chance.randint(0, len(body))],
    lambda body, _: b"\xef\xbb\xbf" + body,
    lambda body, _: body.decode().encode("utf-16"),
    lambda body, _: body + body,
    lambda body, _: b"[" + body + b"]",
    lambda body, _: b" " * 5_000 + body,
    lambda body, _: body[:-1] + b',"unknown":' + b"[" * DEEP,
    lambda _, chance: chance.choice(_BAD_VALUES),
    lambda _, chance: chance.randbytes(chance.randint(0, 200)),
)
