"""The state of one call in the interceptor chain."""

from collections.abc import Sequence
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from server.api.interceptors.contract import Method
from server.identity import Caller

Context = grpc.aio.ServicerContext[bytes, bytes]


class Call:
    """The state that interceptors share; each sets its part for those that run after it."""

    __slots__ = (
        "_last",
        "_metadata",
        "address",
        "body",
        "caller",
        "context",
        "cookies",
        "direct",
        "headers",
        "host",
        "message",
        "method",
        "reply",
        "request_id",
        "rest",
    )

    def __init__(self, method: Method, context: Context, request_id: str) -> None:
        self.method = method
        self.context = context
        self.request_id = request_id
        """The id of this call in responses and in the log."""
        self._metadata: Sequence[tuple[str, Any]] = context.invocation_metadata() or ()  # type: ignore[assignment] # pairs
        self._last: dict[str, Any] = dict(self._metadata)
        """The last value of each key; most calls repeat no key, so that there is nothing to group."""
        self.direct = True
        """True if the call came without the edge (client_address)."""
        self.rest = False
        """True if the call came through the edge as REST (client_address)."""
        self.host = ""
        """The full client address, for the audit (client_address)."""
        self.address = ""
        """The client address as rate limits and the log use it (client_address)."""
        self.caller: Caller | None = None
        """The caller, if the call has a valid token (authentication)."""
        self.body = b""
        """The unparsed request (receive_request)."""
        self.message: Message | None = None
        """The parsed request (validation)."""
        self.reply: bytes | None = None
        """The response: the handler's, or the stored one of the first call with the same key (idempotency)."""
        self.headers: dict[str, str] = {"x-request-id": request_id}
        """The metadata of the response."""
        self.cookies: Sequence[str] = ()
        """The values of `set-cookie`; a response may have several (refresh_cookie)."""

    def name(self, request_id: str) -> None:
        """Changes the request id from now on."""
        self.request_id = request_id
        self.headers["x-request-id"] = request_id

    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """Returns the response's metadata, with the cookies."""
        return (*self.headers.items(), *(("set-cookie", cookie) for cookie in self.cookies))

    def has(self, key: str) -> bool:
        """Returns whether the client's metadata contains the key."""
        return key in self._last

    def values(self, key: str) -> list[Any]:
        """Returns all values of a key in the client's metadata, in order."""
        return [value for name, value in self._metadata if name == key]

    def first(self, key: str) -> str | None:
        """Returns the only value of a text key; None if there is none, or more than one."""
        value = self._last.get(key)
        if not isinstance(value, str):
            return None
        if len(self._last) < len(self._metadata) and len(self.values(key)) > 1:
            return None
        return value
