"""Ends streams of callers who lose access, old streams and all streams at the stop; limits their number."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from server import background
from server.api.interceptors.access import Access
from server.api.interceptors.authentication import Authentication
from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.api.interceptors.contract import Method
from server.clock import Clock
from server.errors import Draining, TooManyStreams
from server.identity import Caller

CHECK_SECONDS: Final = 0.4
"""The seconds between two checks; with the half second of the revocation cache, less than a second in total."""
STREAMS_PER_USER: Final = 5
OLDEST_SECONDS: Final = 30 * 60
SPREAD_SECONDS: Final = 3 * 60
"""Spreads the ends of streams that were opened together, and so their reopening."""


class StreamLifetime(Interceptor):
    """Repeats the checks of authentication and access for as long as a stream is open.

    stopping: set when the server is about to stop: streams would keep it waiting.
    """

    def __init__(self, authentication: Authentication, access: Access, clock: Clock, stopping: asyncio.Event) -> None:
        self._authentication = authentication
        self._access = access
        self._monotonic = clock.monotonic
        self._stopping = stopping
        self._open: Counter[UUID] = Counter()

    def concerns(self, method: Method) -> bool:
        """Returns whether the method's response is a stream."""
        return method.streaming

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises TooManyStreams or Draining at once, or the error that forbids the call as soon as there is one.

        A stream that reaches its maximum age ends without an error; one that is open when the server stops ends with
        Draining, so that its client resumes it elsewhere.
        """
        if self._stopping.is_set():
            raise Draining()
        with self._count_stream(call.caller):
            await self._watch(call, proceed)

    async def _watch(self, call: Call, proceed: Next) -> None:
        ends = self._monotonic() + OLDEST_SECONDS + secrets.randbelow(SPREAD_SECONDS)
        async with background.running(proceed(call)) as stream:
            while self._monotonic() < ends and not self._stopping.is_set():
                await asyncio.wait({stream}, timeout=CHECK_SECONDS)
                if stream.done():
                    await stream  # raises the stream's error
                    return
                call.caller = self._authentication.caller(call)
                await self._access.check(call)
        if self._stopping.is_set():
            raise Draining()

    @contextmanager
    def _count_stream(self, caller: Caller | None) -> Iterator[None]:
        if caller is None:  # a public method
            yield
            return
        if self._open[caller.user_id] >= STREAMS_PER_USER:
            raise TooManyStreams()
        self._open[caller.user_id] += 1
        try:
            yield
        finally:
            self._open[caller.user_id] -= 1
            if not self._open[caller.user_id]:
                del self._open[caller.user_id]
