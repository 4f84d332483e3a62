"""Maps every failure to a declared status; the outermost interceptor, and the only place that does so."""

import asyncio
import math

import grpc.aio
import structlog

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.api.status import CODES, DETAILS_KEY, to_status
from server.errors import DeclaredError, Internal, ServerBusy

_log = structlog.get_logger()


class ErrorMapping(Interceptor):
    """Sends declared errors as declared; logs undeclared ones and sends INTERNAL without details."""

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Aborts the call for any error raised inside; the client's own cancellation passes through."""
        try:
            await proceed(call)
        except DeclaredError as error:
            await _abort(call, error)
        except grpc.aio.AbortError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Raised by the handler itself: grpc.aio would leave the client waiting until its deadline (grpc#29248).
            await _abort(call, ServerBusy())
        except Exception:
            _log.exception("call_failed", request_id=call.request_id, method=call.method.name)
            await _abort(call, Internal())


async def _abort(call: Call, error: DeclaredError) -> None:
    status = to_status(error, call.request_id)
    if error.retry_after is not None:
        call.headers["retry-after"] = str(math.ceil(error.retry_after))
    trailing = (*call.sent_headers(), (DETAILS_KEY, status.SerializeToString()))
    await call.context.abort(CODES[status.code], status.message, trailing)
