"""Bounds what clients that call past the edge hold of the server's call slots.

The edge takes every answer off the server at once. A client of the direct port takes it when it likes: with an HTTP/2
window of 0 it would hold a slot for as long as it stays.
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
"""As many as one connection may have streams."""
DIRECT_CALLS: Final = 500
"""Of all slots; the others are the edge's."""
TAKE_SECONDS: Final = 10.0
"""How long a client may take to read the answer of a unary call."""


class DirectCalls:
    """Counts a direct call until its answer is read, and ends a unary one whose answer is not read in time."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises ServerBusy when the address, or all direct clients together, have their share."""
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
    """Cancels the call's task, which sends the answer next, unless the client reads it in time."""
    task = asyncio.current_task()
    if task is None or call.method.streaming:
        return
    timer = asyncio.get_running_loop().call_later(TAKE_SECONDS, task.cancel)
    _when_done(call, timer.cancel)


def _when_done(call: Call, act: Callable[[], None]) -> None:
    done: Any = lambda _: act()  # noqa: E731 - the stubs want an instance of a private class
    call.context.add_done_callback(done)
