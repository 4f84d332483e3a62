"""Ends a call at its deadline, early enough to report it."""

import asyncio
from typing import Final

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.errors import DeadlineExceeded

DEFAULT_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 30.0
LEAST_SECONDS: Final = 0.05
"""With less time left, the work does not start."""
REPLY_SECONDS: Final = 0.02
"""The time reserved for sending the response."""


class Deadline:
    """Gives a unary call the time its client allows: 10 s by default, never more than 30 s.

    Streams have only the client's own deadline, which gRPC enforces.
    """

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises DeadlineExceeded at the deadline and cancels the rest of the chain."""
        if call.method.streaming:
            await proceed(call)
            return
        remaining = call.context.time_remaining()
        seconds = DEFAULT_SECONDS if remaining is None else min(remaining, LONGEST_SECONDS)
        if seconds < LEAST_SECONDS:
            raise DeadlineExceeded()
        try:
            async with asyncio.timeout(seconds - REPLY_SECONDS) as limit:
                await proceed(call)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded() from None
