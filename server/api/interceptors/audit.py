"""Ensures that every call is recorded in the audit: successes record themselves, refusals are recorded here."""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from google.protobuf.message import DecodeError

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.audit import audit_context
from server.audit.audit_context import NOTHING, AuditContext, Subject
from server.audit.events import AuditEvent, Outcome
from server.audit.storage.audit_writer import AuditWriter
from server.db.unit_of_work import UnitOfWork
from server.errors import Code, DeclaredError, Internal
from server.identity import Role

STAFF: Final = frozenset({Role.DOCTOR, Role.PHARMACIST})
"""The roles whose accounts may be shown the data of a limited number of patients in an hour."""
RECORD_SECONDS: Final = 2.0
"""How long a refusal waits until it is recorded."""

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
"""How refusals are recorded. Other refusals appear only in the log and the metrics: exceeded rate limits, so that a
flood does not fill the audit, and database failures, which could not be recorded anyway."""

_OBJECTS: Final = {"user": "account", "actor": "account"}
"""Names in requests that differ from the object kinds in the records of successes."""

_log = structlog.get_logger()


class NotRecorded(Exception):
    """A use case succeeded without its audit record: an error of the server, so the response is withheld."""


class Audit(Interceptor):
    """Sets the audit context, and records refusals in their own transaction after that of the call has ended.

    patients_per_hour: the most patients whose data an account of staff may be shown in an hour.
    """

    def __init__(self, work: UnitOfWork, patients_per_hour: int) -> None:
        self._work = work
        self._patients_per_hour = patients_per_hour
        self._recording: set[asyncio.Task[None]] = set()

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Raises NotRecorded for a success without its record; errors raised inside pass through."""
        here = AuditContext(
            call.method.full_name,
            call.request_id,
            call.host,
            call.first("user-agent") or "",
            call.caller,
            self._patients_per_hour if call.caller is not None and call.caller.role in STAFF else None,
        )
        audit_context.enter(here)
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
        """Records a refusal in a separate task, which continues if the client disconnects meanwhile."""
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
        except Exception as fault:  # the call is refused anyway, and the refusal is in the log
            _log.error("refusal_not_recorded", request_id=call.request_id, error=type(fault).__name__)


def _event_of(call: Call, error: DeclaredError) -> AuditEvent | None:
    """Returns the event of a refusal; a method whose successes are not audited may still have audited refusals."""
    denied = AuditEvent.ACCESS_DENIED if error.code is Code.PERMISSION_DENIED else None
    return call.method.audit or denied


def _subject_of(call: Call) -> Subject:
    """Returns the object that the request names (`prescription_id` names a prescription), or an empty subject.

    A call refused for its role is refused before its body is read; the body is read here, only for the record.
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
    """Returns whether a refusal is of a known caller or a failed sign-in, and not only of an invalid request.

    A token whose session has ended does not make its caller known; a wrong password is always a failed sign-in.
    """
    unreadable = error.code is Code.INVALID_ARGUMENT and call.message is None
    known = call.caller is not None and error.code is not Code.UNAUTHENTICATED
    return not unreadable and (known or event is AuditEvent.SIGNED_IN)
