"""Ends a call at its deadline, early enough to report it."""

import asyncio
from typing import Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.api.interceptors.contract import Method
from server.api.interceptors.time_limit import SharedTimer, run_within
from server.errors import DeadlineExceeded

DEFAULT_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 30.0
LEAST_SECONDS: Final = 0.05
"""With less time left, the work does not start."""
REPLY_SECONDS: Final = 0.02
"""The time reserved for sending the response."""


class Deadline(Interceptor):
    """Gives a unary call the time its client allows: 10 s by default, never more than 30 s.

    Streams have only the client's own deadline, which gRPC enforces.
    """

    def __init__(self) -> None:
        self._default = SharedTimer()

    def concerns(self, method: Method) -> bool:
        """Returns whether the method is unary."""
        return not method.streaming

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises DeadlineExceeded at the deadline and cancels the rest of the chain."""
        remaining = call.context.time_remaining()
        if remaining is None:
            await run_within(DEFAULT_SECONDS - REPLY_SECONDS, proceed(call), self._default.call_later)
            return
        if remaining < LEAST_SECONDS:
            raise DeadlineExceeded()
        seconds = min(remaining, LONGEST_SECONDS) - REPLY_SECONDS
        await run_within(seconds, proceed(call), asyncio.get_running_loop().call_later)
