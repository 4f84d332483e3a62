"""The request and response headers that callers may send and read."""

from protos.openapi.contract import Schema

COUNT: Schema = {"type": "integer", "minimum": 0}
LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
CONFLICT, TOO_MANY, UNAVAILABLE = 409, 429, 503
RETRIED = frozenset({CONFLICT, TOO_MANY, UNAVAILABLE})
"""The statuses whose responses may state when to try again."""

REFRESH_COOKIE = "x-refresh-cookie"
"""The header with which browsers keep their refresh token in a cookie; an RPC whose comment names it accepts it."""

HEADERS: Schema = {
    "x-request-id": {
        "description": "The id of the call, also in the server's log and in `error.requestId`.",
        "required": True,
        "schema": {"type": "string"},
    },
    "x-ratelimit-limit": {"description": "The capacity of the call's strictest bucket, in tokens.", "schema": COUNT},
    "x-ratelimit-remaining": {"description": "The number of tokens left in that bucket.", "schema": COUNT},
    "x-ratelimit-reset": {"description": "The Unix time, in seconds, at which that bucket is full.", "schema": COUNT},
    "retry-after": {"description": "The number of seconds after which to try again.", "schema": COUNT},
    "idempotent-replayed": {
        "description": "Present if this is the stored response of an earlier call with the same key.",
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
        "description": "Makes the call safe to repeat: for 24 hours the same key with the same request returns the"
        " first success again and executes nothing twice. 16 to 255 printable ASCII characters of the caller's choice.",
        "schema": {"type": "string", "pattern": "^[!-~]{16,255}$"},
        "example": "6f1c2a58-9d34-4b7e-8f10-2d5b7c9e4a63",
    },
    REFRESH_COOKIE: {
        "name": REFRESH_COOKIE,
        "in": "header",
        "description": "For browsers: the refresh token is sent and returned in a cookie that no script can read, and"
        " in no body.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
"""`components.parameters`."""


def success_headers(*, idempotent: bool, cookie: bool) -> Schema:
    """Returns the headers of a success."""
    more = [name for name, there in (("idempotent-replayed", idempotent), ("set-cookie", cookie)) if there]
    return _refer("x-request-id", *LIMIT_HEADERS, *more)


def error_headers(status: int) -> Schema:
    """Returns the headers of a failure; calls that the edge itself refuses are not charged to any limit."""
    return _refer("x-request-id", *LIMIT_HEADERS, *(["retry-after"] if status in RETRIED else []))


def _refer(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
