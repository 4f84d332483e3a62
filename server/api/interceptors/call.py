"""One call on its way through the chain."""

from collections.abc import Mapping
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from server.api.interceptors.contract import Method
from server.identity import Caller

Context = grpc.aio.ServicerContext[bytes, bytes]


class Call:
    """What the interceptors know and learn of a call; each adds its part for those behind it."""

    __slots__ = (
        "address",
        "body",
        "caller",
        "context",
        "cookies",
        "headers",
        "host",
        "message",
        "metadata",
        "method",
        "reply",
        "request_id",
        "rest",
    )

    def __init__(self, method: Method, context: Context, request_id: str) -> None:
        self.method = method
        self.context = context
        self.request_id = request_id
        """Names this call in answers and in the log."""
        self.metadata: Mapping[str, tuple[Any, ...]] = _group_metadata(context.invocation_metadata() or ())
        """The caller's metadata: all values of each key, in order."""
        self.rest = False
        """Whether it came through the edge as REST (client_address)."""
        self.host = ""
        """The caller's address in full, for the audit (client_address)."""
        self.address = ""
        """Whence the caller calls, as rate limits and the log name it (client_address)."""
        self.caller: Caller | None = None
        """Who calls, if he has shown it (authentication)."""
        self.body = b""
        """The request as it came (reception)."""
        self.message: Message | None = None
        """The parsed request (validation)."""
        self.reply: bytes | None = None
        """The response: the handler's, or the stored one of the first call with the same key (idempotency)."""
        self.headers: dict[str, str] = {"x-request-id": request_id}
        """What the answer's metadata will hold."""
        self.cookies: list[str] = []
        """The values of `set-cookie`, of which an answer may hold several (refresh_cookie)."""

    def name(self, request_id: str) -> None:
        """Go by another request id from now on."""
        self.request_id = request_id
        self.headers["x-request-id"] = request_id

    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the answer's metadata, with the cookies."""
        return (*self.headers.items(), *(("set-cookie", cookie) for cookie in self.cookies))

    def first(self, key: str) -> str | None:
        """The only value of a text key; None if there is none, or more than one."""
        values = self.metadata.get(key, ())
        return values[0] if len(values) == 1 and isinstance(values[0], str) else None


def _group_metadata(metadata: Any) -> dict[str, tuple[Any, ...]]:  # noqa: ANN401 - grpc types keys and values loosely
    grouped: dict[str, tuple[Any, ...]] = {}
    for key, value in metadata:
        grouped[key] = (*grouped.get(key, ()), value)
    return grouped
