"""Receives the request within a limited time."""

import asyncio
from typing import Final

from server.api.interceptors.base import GONE_SECONDS, Interceptor, Next
from server.api.interceptors.call import Call
from server.api.interceptors.time_limit import SharedTimer, run_within
from server.errors import MalformedBody

RECEIVE_SECONDS: Final = 10.0
"""A slow client occupies a call slot while it uploads, so the wait is bounded."""


class ReceiveRequest(Interceptor):
    """Runs after the rate limits, so that a call over its limit is refused before its upload and holds no slot."""

    def __init__(self) -> None:
        self._waiting = SharedTimer()

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Sets `body`. Raises DeadlineExceeded when the request does not arrive in time."""
        body = await run_within(RECEIVE_SECONDS, call.context.read(), self._waiting.call_later)
        if not isinstance(body, bytes):
            # No request: the client disconnected, or sent too much. gRPC cancels this task for it, but may do so later.
            await asyncio.sleep(GONE_SECONDS)
            raise MalformedBody()
        call.body = body
        await proceed(call)
