"""One line per call: who, what, how it ended, how long it took. No bodies, no names, no tokens."""

import asyncio

import structlog

from server.clock import Clock
from server.errors import DeclaredError
from server.interceptors.base import Proceed
from server.interceptors.call import Call

_log = structlog.get_logger()


class RequestLog:
    """Writes the line when the call ends, in whatever way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def around(self, call: Call, proceed: Proceed) -> None:
        """Measure, watch the end, write."""
        started = self._clock.monotonic()
        outcome = "OK"
        try:
            await proceed(call)
        except DeclaredError as error:
            outcome = error.reason.value
            raise
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            _log.info(
                "call",
                request_id=call.request_id,
                method=call.method.name,
                outcome=outcome,
                milliseconds=round(1000 * (self._clock.monotonic() - started), 1),
                user_id=str(call.caller.user_id) if call.caller else None,
                address=call.address,
            )
