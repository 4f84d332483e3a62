"""Ends a call when its time is over, while there is still time to say so."""

import asyncio
from typing import Final

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.errors import DeadlineExceeded

DEFAULT_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 30.0
LEAST_SECONDS: Final = 0.05
"""With less left, the work is not begun."""
REPLY_SECONDS: Final = 0.02
"""Kept for the way back."""


class Deadline:
    """Gives a unary call the time its caller allows: 10 s if he says nothing, never more than 30 s.

    Streams have no deadline but the caller's own, which grpc keeps.
    """

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raise DeadlineExceeded when the time is over, cancelling what runs inside."""
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
