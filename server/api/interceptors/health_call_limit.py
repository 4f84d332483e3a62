"""Bounds how many calls there are at once that nobody is charged for: those of health."""

from typing import Final

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.api.interceptors.client_address import EDGE
from server.errors import ServerBusy

OPEN_CALLS: Final = 100
"""Whoever watches the health does it without end, and holds one of the places of all calls."""


class HealthCallLimit:
    """Keeps the other places free. The edge's own questions are not counted: without answers it would let nobody in."""

    def __init__(self) -> None:
        self._open = 0

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raise ServerBusy, or let the call on."""
        if call.context.peer().startswith(EDGE) and "x-client-ip" not in call.metadata:
            await proceed(call)
            return
        if self._open >= OPEN_CALLS:
            raise ServerBusy()
        self._open += 1
        try:
            await proceed(call)
        finally:
            self._open -= 1
