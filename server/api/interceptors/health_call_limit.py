"""Limits concurrent health calls, which no rate limit counts."""

from typing import Final

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.api.interceptors.client_address import EDGE
from server.errors import ServerBusy

OPEN_CALLS: Final = 100
"""The maximum of concurrent health calls: a health watch lasts without limit and holds a call slot."""


class HealthCallLimit:
    """Keeps the other slots free. The edge's own checks are not counted: without responses it would admit no calls."""

    def __init__(self) -> None:
        self._open = 0

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises ServerBusy, or proceeds."""
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
