"""Limits the call slots of clients that call without the edge.

The edge reads every response at once. A client of the direct port reads when it likes: with an HTTP/2 window of 0 it
would hold a slot for as long as it stays connected.
"""

import asyncio
from collections import Counter
from functools import partial
from typing import Any, Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call, Context
from server.api.interceptors.time_limit import SharedTimer, Timer
from server.errors import ServerBusy

CALLS_PER_ADDRESS: Final = 100
"""As many as the streams of one connection."""
DIRECT_CALLS: Final = 500
"""The direct clients' share of all slots; the others are the edge's."""
TAKE_SECONDS: Final = 10.0
"""How long a client may take to read the response of a unary call."""


class DirectCalls(Interceptor):
    """Counts a direct call until its response is read, and ends a unary call whose response is not read in time."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._all = 0
        self._unread = SharedTimer()

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises ServerBusy when the address, or all direct clients together, use their whole share."""
        if not call.direct:
            await proceed(call)
            return
        if self._open[call.address] >= CALLS_PER_ADDRESS or self._all >= DIRECT_CALLS:
            raise ServerBusy()
        direct = _DirectCall(call.address)
        self._open[call.address] += 1
        self._all += 1
        done: Any = partial(self._leave, direct)  # the stubs want an instance of a private class
        call.context.add_done_callback(done)
        await proceed(call)
        task = asyncio.current_task()
        if task is not None and not call.method.streaming:
            # The task sends the response next; it is cancelled unless the client reads the response in time.
            direct.timer = self._unread.call_later(TAKE_SECONDS, task.cancel)

    def _leave(self, direct: "_DirectCall", _context: Context) -> None:
        if direct.timer is not None:
            direct.timer.cancel()
        self._all -= 1
        self._open[direct.address] -= 1
        if not self._open[direct.address]:
            del self._open[direct.address]


class _DirectCall:
    """A direct call that is not done."""

    __slots__ = ("address", "timer")

    def __init__(self, address: str) -> None:
        self.address = address
        self.timer: Timer | None = None
        """Runs while the client may read the response of a unary call."""
