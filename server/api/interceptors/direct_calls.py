"""Limits the call slots of clients that call without the edge.

The edge reads every response at once. A client of the direct port reads when it likes: with an HTTP/2 window of 0 it
would hold a slot for as long as it stays connected.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.api.interceptors.client_address import EDGE, peer_address
from server.errors import ServerBusy

CALLS_PER_ADDRESS: Final = 100
"""As many as the streams of one connection."""
DIRECT_CALLS: Final = 500
"""The direct clients' share of all slots; the others are the edge's."""
TAKE_SECONDS: Final = 10.0
"""How long a client may take to read the response of a unary call."""


class DirectCalls:
    """Counts a direct call until its response is read, and ends a unary call whose response is not read in time."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises ServerBusy when the address, or all direct clients together, use their whole share."""
        peer = call.context.peer()
        if peer.startswith(EDGE):
            await proceed(call)
            return
        address = peer_address(peer)
        if self._open[address] >= CALLS_PER_ADDRESS or self._open.total() >= DIRECT_CALLS:
            raise ServerBusy()
        self._open[address] += 1
        _when_done(call, partial(self._leave, address))
        await proceed(call)
        _end_unread(call)

    def _leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


def _end_unread(call: Call) -> None:
    """Cancels the call's task, which sends the response next, unless the client reads it in time."""
    task = asyncio.current_task()
    if task is None or call.method.streaming:
        return
    timer = asyncio.get_running_loop().call_later(TAKE_SECONDS, task.cancel)
    _when_done(call, timer.cancel)


def _when_done(call: Call, act: Callable[[], None]) -> None:
    done: Any = lambda _: act()  # noqa: E731 - the stubs want an instance of a private class
    call.context.add_done_callback(done)
