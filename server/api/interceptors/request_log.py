"""Logs one line per call: caller, method, result, durations. No bodies, no names, no tokens."""

import asyncio

from server import logs
from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.audit.events import REPLAYED
from server.clock import Clock
from server.db import time_spent
from server.db.time_spent import TimeSpent
from server.errors import DeclaredError, Reason
from server.metrics import UNKNOWN_METHOD, Metrics
from server.trace_context import trace_id_of


class RequestLog(Interceptor):
    """Writes the line when the call ends, however it ends."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Measures the call and writes its log line."""
        started, spent = self._clock.monotonic(), time_spent.measure()
        code = outcome = "OK"
        try:
            await proceed(call)
        except DeclaredError as error:
            code, outcome = error.code.name, error.reason.value
            raise
        except asyncio.CancelledError:
            code = outcome = "CANCELLED"
            raise
        except Exception as error:
            code, outcome = "INTERNAL", type(error).__name__
            raise
        finally:
            seconds = self._clock.monotonic() - started
            self._count(call, outcome, seconds)
            self._write(call, code, outcome, seconds, spent)

    def _write(self, call: Call, code: str, outcome: str, seconds: float, spent: TimeSpent) -> None:
        caller = call.caller
        logs.write_call(
            logs.CallLine(
                call.request_id,
                trace_id_of(call.first("traceparent")),
                call.method.name,
                code,
                outcome,
                seconds,
                spent.in_pool,
                spent.in_sql,
                caller.account if caller else None,
                caller.role.value if caller else None,
                call.address,
                "direct" if call.direct else "rest" if call.rest else "grpc",
                REPLAYED in call.headers,
                self._clock.now().isoformat().replace("+00:00", "Z"),
            )
        )

    def _count(self, call: Call, outcome: str, seconds: float) -> None:
        method = call.method.name if call.method.request_type is not None else UNKNOWN_METHOD
        self._metrics.call_ended(method, outcome)
        if not call.method.streaming:
            self._metrics.call_took(method, seconds)
        if call.caller is None and outcome == Reason.UNAUTHENTICATED:
            self._metrics.anonymous_denied(method)
        if REPLAYED in call.headers:
            self._metrics.replayed(method)
