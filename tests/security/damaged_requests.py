"""Damages valid requests: as bytes of HTTP/1.1, and as the header lists of HTTP/2."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tests.security.mutations import mutated_json, mutated_text

Header = tuple[bytes, bytes]

CONTENT_TYPES: Final = (
    *(b"application/json", b"application/json; charset=utf-8", b"Application/JSON", b"application/json,text/plain"),
    *(
        b"application/grpc",
        b"application/grpcx",
        b"application/grpc; a",
        b"application/grpc+proto",
        b"application/grpc-web",
    ),
    *(b"application/grpc,application/json", b"text/plain", b"", b";", b"\t", b"application/json" + b";a=b" * 500),
)
METHODS: Final = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PATCH",
    b"get",
    b"X",
    b"",
)
FIELDS: Final = (
    *(
        b"content-length",
        b"transfer-encoding",
        b"host",
        b"expect",
        b"te",
        b"upgrade",
        b"connection",
        b"cookie",
        b"origin",
    ),
    *(b"authorization", b"grpc-timeout", b"grpc-encoding", b"x-http-method-override", b"x-forwarded-for", b"x-envoy-a"),
    *(
        b"idempotency-key",
        b"x-request-id",
        b"x-message",
        b"x-http-code",
        b"x-local-reply",
        b"accept-encoding",
        b"range",
    ),
    *(b"x-bin-bin", b"X_A", b"a b", b"\xff", b":path", b":x", b"content-type", b"x-refresh-cookie", b"if-none-match"),
)
VALUES: Final = (
    *(
        b"",
        b"0",
        b"-1",
        b"99999999999999999999",
        b"chunked",
        b"gzip, chunked",
        b"100-continue",
        b"trailers",
        b"h2c",
        b"close",
    ),
    *(
        b"x" * 9_000,
        b"a=" * 3_000,
        b"%" * 3_000,
        b"\x00",
        b"\xff\xfe",
        b"\r",
        b"a,b",
        b"Bearer x",
        b"true",
        b"1n",
        b"!!!",
    ),
)
LONG: Final = (b"a", b"=", b"&", b"a=&", b"%", b"%41", b"/", b".", b"?", b"_", b";")


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request before it is written."""

    method: bytes
    path: bytes
    headers: tuple[Header, ...]
    body: bytes

    def http1(self) -> bytes:
        """Returns the request as the bytes of HTTP/1.1."""
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in self.headers)
        length = b"content-length: %d\r\n" % len(self.body) if self.body else b""
        return (
            self.method
            + b" "
            + self.path
            + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            + lines
            + length
            + b"\r\n"
            + self.body
        )

    def http2(self) -> list[Header]:
        """Returns its header list."""
        pseudo = [(b":method", self.method), (b":path", self.path), (b":scheme", b"http"), (b":authority", b"x")]
        return [*pseudo, *self.headers]


def damaged(request: RawRequest, chance: random.Random) -> RawRequest:
    """Returns the request with one to three kinds of damage that both versions of HTTP can carry."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        request = chance.choice(_DAMAGES)(request, chance)
    return request


def damaged_bytes(request: bytes, chance: random.Random) -> bytes:
    """Returns HTTP/1.1 with damage to its lines, its framing or its bytes."""
    return chance.choice(_BYTE_DAMAGES)(request, chance)


def _method(request: RawRequest, chance: random.Random) -> RawRequest:
    return replace(request, method=chance.choice(METHODS))


def _path(request: RawRequest, chance: random.Random) -> RawRequest:
    at = chance.randint(1, len(request.path))
    text = mutated_text(chance).encode("utf-8", "surrogateescape").replace(b"\n", b"%0a")
    return replace(request, path=request.path[:at] + text + request.path[at:])


def _long_path(request: RawRequest, chance: random.Random) -> RawRequest:
    start = request.path + chance.choice((b"", b"?", b"?role="))
    return replace(request, path=start + chance.choice(LONG) * chance.choice((100, 1_000, 4_000, 16_000)))


def _query(request: RawRequest, chance: random.Random) -> RawRequest:
    more = b"&".join(
        b"%s=%s" % (chance.choice((b"role", b"status", b"pageSize", b"userId", b"a.b.c")), chance.choice(VALUES[:4]))
        for _ in range(5)
    )
    return replace(request, path=request.path + b"?" + more)


def _content_type(request: RawRequest, chance: random.Random) -> RawRequest:
    kept = tuple(header for header in request.headers if header[0] != b"content-type")
    return replace(request, headers=(*kept, (b"content-type", chance.choice(CONTENT_TYPES))))


def _header(request: RawRequest, chance: random.Random) -> RawRequest:
    added = (chance.choice(FIELDS), chance.choice(VALUES))
    return replace(request, headers=(*request.headers, added) if chance.random() < 0.5 else (added, *request.headers))


def _many_headers(request: RawRequest, chance: random.Random) -> RawRequest:
    more = tuple(
        (b"x-a%d" % number, b"y" * chance.choice((0, 10, 200))) for number in range(chance.choice((50, 150, 1_100)))
    )
    return replace(request, headers=(*request.headers, *more))


def _body(request: RawRequest, chance: random.Random) -> RawRequest:
    return replace(request, body=mutated_json({"email": "a@example.org", "items": [{"quantity": 1}]}, chance))


def _large_body(request: RawRequest, chance: random.Random) -> RawRequest:
    return replace(request, body=chance.choice((b'{"a":"', b"[", b'{"a":', b"")) + chance.choice(LONG) * 90_000)


_DAMAGES: Final[tuple[Callable[[RawRequest, random.Random], RawRequest], ...]] = (
    *(_method, _path, _path, _long_path, _query, _content_type, _content_type, _header, _header, _header),
    *(_many_headers, _body, _body, _body, _large_body),
)


def _other_ends(request: bytes, chance: random.Random) -> bytes:
    return request.replace(
        b"\r\n", chance.choice((b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\r\n ")), chance.choice((1, 2, -1))
    )


def _flipped(request: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(min(len(request), 300))
    return request[:at] + bytes([request[at] ^ 1 << chance.randrange(8)]) + request[at + 1 :]


def _inserted(request: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(min(len(request), 300))
    return (
        request[:at]
        + chance.choice((b"\0", b"\r\n", b"\n", b" ", b"\t", b":", b"\xff", chance.randbytes(9)))
        + request[at:]
    )


def _cut(request: bytes, chance: random.Random) -> bytes:
    return request[: chance.randrange(len(request))]


def _chunked(request: bytes, chance: random.Random) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    size = chance.choice((b"%x" % len(body), b"-1", b"0x5", b"ffffffffffffffffff", b"5;a=b", b"", b"g"))
    end = chance.choice((b"0\r\n\r\n", b"0\n\n", b"0\r\nx-a: b\r\n\r\n", b""))
    return head + b"\r\ntransfer-encoding: chunked\r\n\r\n" + size + b"\r\n" + body + b"\r\n" + end


def _version(request: bytes, chance: random.Random) -> bytes:
    return request.replace(
        b"HTTP/1.1", chance.choice((b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"HTTP", b"", b"HTTP/1.1 x")), 1
    )


_BYTE_DAMAGES: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    *(lambda request, _: request,) * 4,
    *(_other_ends, _flipped, _inserted, _cut, _chunked, _version),
    lambda request, _: request + request,
)
