"""The headers of answers and requests that callers may read and send."""

from protos.openapi.contract import Schema

COUNT: Schema = {"type": "integer", "minimum": 0}
LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
CONFLICT, TOO_MANY, UNAVAILABLE = 409, 429, 503
RETRIED = frozenset({CONFLICT, TOO_MANY, UNAVAILABLE})
"""The statuses that may say when to try again."""

REFRESH_COOKIE = "x-refresh-cookie"
"""An RPC whose comment names this header takes it: the refresh token of browsers, in a cookie."""

HEADERS: Schema = {
    "x-request-id": {
        "description": "Names the call; the server's log and `error.requestId` say the same.",
        "required": True,
        "schema": {"type": "string"},
    },
    "x-ratelimit-limit": {"description": "How many tokens the strictest of the call's buckets holds.", "schema": COUNT},
    "x-ratelimit-remaining": {"description": "How many of them are left.", "schema": COUNT},
    "x-ratelimit-reset": {"description": "When that bucket is full again, in seconds of Unix time.", "schema": COUNT},
    "retry-after": {"description": "In how many seconds to try again.", "schema": COUNT},
    "idempotent-replayed": {
        "description": "There if this is the answer of an earlier call with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
    "set-cookie": {
        "description": "With `x-refresh-cookie: true`: the refresh token or its end, as `medconnect_refresh`, over TLS"
        " as `__Host-medconnect_refresh`.",
        "schema": {"type": "string"},
    },
}
"""`components.headers`."""

PARAMETERS: Schema = {
    "idempotency-key": {
        "name": "idempotency-key",
        "in": "header",
        "description": "Makes the call safe to repeat: for 24 hours the same key with the same request answers the"
        " first success again and executes nothing twice. 16 to 255 printable ASCII characters of the caller's choice.",
        "schema": {"type": "string", "pattern": "^[!-~]{16,255}$"},
        "example": "6f1c2a58-9d34-4b7e-8f10-2d5b7c9e4a63",
    },
    REFRESH_COOKIE: {
        "name": REFRESH_COOKIE,
        "in": "header",
        "description": "For browsers: the refresh token comes and goes in a cookie that no script reads, and stands in"
        " no body.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
"""`components.parameters`."""


def success_headers(*, idempotent: bool, cookie: bool) -> Schema:
    """Return the headers of a success."""
    more = [name for name, there in (("idempotent-replayed", idempotent), ("set-cookie", cookie)) if there]
    return _refer("x-request-id", *LIMIT_HEADERS, *more)


def error_headers(status: int) -> Schema:
    """Return the headers of a failure; what the edge refuses by itself was not charged to any limit."""
    return _refer("x-request-id", *LIMIT_HEADERS, *(["retry-after"] if status in RETRIED else []))


def _refer(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
