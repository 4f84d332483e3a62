"""Limits concurrent health calls, which no rate limit counts."""

from typing import Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.errors import ServerBusy

OPEN_CALLS: Final = 100
"""The maximum of concurrent health calls: a health watch lasts without limit and holds a call slot."""


class HealthCallLimit(Interceptor):
    """Keeps the other slots free. The edge's own checks are not counted: without responses it would admit no calls."""

    def __init__(self) -> None:
        self._open = 0

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises ServerBusy, or proceeds."""
        if not call.direct and not call.has("x-client-ip"):
            await proceed(call)
            return
        if self._open >= OPEN_CALLS:
            raise ServerBusy()
        self._open += 1
        try:
            await proceed(call)
        finally:
            self._open -= 1
