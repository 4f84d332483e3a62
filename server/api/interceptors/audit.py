"""Sees to it that every call leaves its record: a success wrote one itself, a refusal gets one here."""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from google.protobuf.message import DecodeError

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.audit import audit_context
from server.audit.audit_context import NOTHING, AuditContext, Subject
from server.audit.events import AuditEvent, Outcome
from server.audit.storage.audit_writer import AuditWriter
from server.db.unit_of_work import UnitOfWork
from server.errors import Code, DeclaredError, Internal

RECORD_SECONDS: Final = 2.0
"""How long a refusal waits for its record."""

_OUTCOMES: Final = {
    Code.PERMISSION_DENIED: Outcome.DENIED,
    Code.NOT_FOUND: Outcome.DENIED,
    Code.UNAUTHENTICATED: Outcome.FAILURE,
    Code.INVALID_ARGUMENT: Outcome.FAILURE,
    Code.FAILED_PRECONDITION: Outcome.FAILURE,
    Code.ABORTED: Outcome.FAILURE,
    Code.ALREADY_EXISTS: Outcome.FAILURE,
    Code.INTERNAL: Outcome.FAULT,
    Code.DEADLINE_EXCEEDED: Outcome.FAULT,
}
"""How refusals are recorded. What is missing goes to the log and the metrics alone: a limit that is used up, so that a
flood does not fill the audit, and what a database that is away could not record anyway."""

_OBJECTS: Final = {"user": "account", "actor": "account"}
"""What requests call by another name than the records of successes."""

_log = structlog.get_logger()


class NotRecorded(Exception):
    """A use case did what the audit should tell of, without its record: a fault of ours, so nothing is answered."""


class Audit:
    """States the occasion, and records refusals in a transaction of their own, after that of the call has ended."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._recording: set[asyncio.Task[None]] = set()

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raise NotRecorded for a success without its record; what is raised inside passes through."""
        here = AuditContext(
            call.method.full_name, call.request_id, call.host, call.first("user-agent") or "", call.caller
        )
        with audit_context.use(here):
            try:
                await proceed(call)
            except DeclaredError as error:
                await self._record_refusal(call, here, error)
                raise
            except Exception:
                await self._record_refusal(call, here, Internal())
                raise
            if call.method.audit is not None and here.recorded is None:
                raise NotRecorded(call.method.full_name)

    async def _record_refusal(self, call: Call, here: AuditContext, error: DeclaredError) -> None:
        """Record a refusal, in a task of its own: it goes on when the caller hangs up before he was told."""
        event, outcome = _event_of(call, error), _OUTCOMES.get(error.code)
        if event is None or outcome is None or here.failure_recorded or not _concerns_somebody(call, event, error):
            return
        subject = _subject_of(call) if here.subject is NOTHING else here.subject
        recording = asyncio.create_task(self._record(call, event, subject, outcome, error.reason))
        self._recording.add(recording)
        recording.add_done_callback(self._recording.discard)
        await asyncio.shield(recording)

    async def _record(self, call: Call, event: AuditEvent, subject: Subject, outcome: Outcome, reason: str) -> None:
        try:
            async with asyncio.timeout(RECORD_SECONDS), self._work.begin() as tx:
                await tx[AuditWriter].refused(event, subject, outcome, reason)
        except Exception as fault:  # the call is refused anyway, and the refusal stands in the log
            _log.error("refusal_not_recorded", request_id=call.request_id, error=type(fault).__name__)


def _event_of(call: Call, error: DeclaredError) -> AuditEvent | None:
    """What a refusal is recorded as; a method whose successes are of no interest may still be one not to call."""
    denied = AuditEvent.ACCESS_DENIED if error.code is Code.PERMISSION_DENIED else None
    return call.method.audit or denied


def _subject_of(call: Call) -> Subject:
    """What the request names: `prescription_id` names a prescription; nothing, if it names nothing or makes no sense.

    Who is refused for his role is refused before the body is read; what he was after is read here, for the record.
    """
    field, request_type = call.method.subject_field, call.method.request_type
    if not field or request_type is None:
        return NOTHING
    try:
        message = call.message or request_type.FromString(call.body)
        named = field.removesuffix("_id")
        return Subject(_OBJECTS.get(named, named), UUID(getattr(message, field)))
    except (DecodeError, ValueError):
        return NOTHING


def _concerns_somebody(call: Call, event: AuditEvent, error: DeclaredError) -> bool:
    """Whether a refusal is of somebody we know, or a failed sign-in, and not only of a request that makes no sense.

    A token whose session has ended makes nobody known; a wrong password is a failed sign-in, whatever comes with it.
    """
    unreadable = error.code is Code.INVALID_ARGUMENT and call.message is None
    known = call.caller is not None and error.code is not Code.UNAUTHENTICATED
    return not unreadable and (known or event is AuditEvent.SIGNED_IN)
