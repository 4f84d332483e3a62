"""Logs one line per call: caller, method, result, duration. No bodies, no names, no tokens."""

import asyncio

from server import logs
from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.clock import Clock
from server.errors import DeclaredError, Reason
from server.metrics import UNKNOWN_METHOD, Metrics


class RequestLog(Interceptor):
    """Writes the line when the call ends, however it ends."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Measures the call and writes its log line."""
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
            seconds = self._clock.monotonic() - started
            self._count(call, outcome, seconds)
            logs.write_call(
                request_id=call.request_id,
                method=call.method.name,
                outcome=outcome,
                seconds=seconds,
                user_id=call.caller.account if call.caller else None,
                address=call.address,
                at=self._clock.now().isoformat().replace("+00:00", "Z"),
            )

    def _count(self, call: Call, outcome: str, seconds: float) -> None:
        method = call.method.name if call.method.request_type is not None else UNKNOWN_METHOD
        self._metrics.call_ended(method, outcome)
        if not call.method.streaming:
            self._metrics.call_took(method, seconds)
        if call.caller is None and outcome == Reason.UNAUTHENTICATED:
            self._metrics.anonymous_denied(method)
