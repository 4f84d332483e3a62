"""Keeps one caller from holding many streams open."""

from collections import Counter
from typing import Final
from uuid import UUID

from server.errors import RateLimitExceeded
from server.interceptors.base import Proceed
from server.interceptors.call import Call

MOST_PER_USER: Final = 5
RETRY_SECONDS: Final = 30
"""Nobody knows when a stream ends; a caller that forgot one asks again after a while."""


class OpenStreams:
    """Counts the streams that each account has open in this process."""

    def __init__(self) -> None:
        self._open: Counter[UUID] = Counter()

    async def around(self, call: Call, proceed: Proceed) -> None:
        """Raise RateLimitExceeded for a stream beyond the fifth."""
        if not call.method.streaming or call.caller is None:
            await proceed(call)
            return
        user_id = call.caller.user_id
        if self._open[user_id] >= MOST_PER_USER:
            raise RateLimitExceeded(retry_after=RETRY_SECONDS, limit="open_streams")
        self._open[user_id] += 1
        try:
            await proceed(call)
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]
