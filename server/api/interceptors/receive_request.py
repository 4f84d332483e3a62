"""Receives the request, which may take its time on the way, but not forever."""

import asyncio
from typing import Final

from server.api.interceptors.base import GONE_SECONDS, Next
from server.api.interceptors.call import Call
from server.errors import DeadlineExceeded, MalformedBody

RECEIVE_SECONDS: Final = 10.0
"""How slowly is the caller's choice, and meanwhile he holds one of our places."""


class ReceiveRequest:
    """Behind the rate limits: who has none left need not send anything, and holds no place."""

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Fill in `body`. Raises DeadlineExceeded when it does not come in time."""
        try:
            async with asyncio.timeout(RECEIVE_SECONDS):
                body = await call.context.read()
        except TimeoutError:
            raise DeadlineExceeded() from None
        if not isinstance(body, bytes):
            # There is none: the caller has gone, or sent too much. gRPC cancels this task for it, but may say so later.
            await asyncio.sleep(GONE_SECONDS)
            raise MalformedBody()
        call.body = body
        await proceed(call)
