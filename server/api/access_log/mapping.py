"""Maps the audit's messages and entities to each other."""

from medconnect.auth.v1 import audit_record_pb2
from medconnect.auth.v1 import auth_service_pb2 as auth_pb
from medconnect.clinical.v1 import access_log_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical_pb
from medconnect.options.v1 import access_pb2, audit_pb2

from server.access_log.entities import Access, AccessFilter, AuditFilter, AuditRecord
from server.api.wire import enum_pair, fill_page, optional_id, read_period, timestamp
from server.audit.events import Action, AuditEvent, Outcome
from server.identity import Role
from server.pagination import Page

EVENT_NUMBERS, EVENTS = enum_pair(audit_pb2.AuditEvent, AuditEvent, "AUDIT_EVENT")
ACTION_NUMBERS, ACTIONS = enum_pair(audit_pb2.AuditAction, Action, "AUDIT_ACTION")
OUTCOME_NUMBERS, OUTCOMES = enum_pair(audit_pb2.AuditOutcome, Outcome, "AUDIT_OUTCOME")
ROLE_NUMBERS, ROLES = enum_pair(access_pb2.Role, Role, "ROLE")


def audit_filter(request: auth_pb.ListAuditRecordsRequest) -> AuditFilter:
    """Returns the filter of a request. Raises ValidationFailed for a date that does not exist."""
    return AuditFilter(
        period=read_period(request),
        actor_id=optional_id(request.actor_id),
        patient_id=optional_id(request.patient_id),
        role=ROLES.get(request.role),
        event=EVENTS.get(request.event),
        action=ACTIONS.get(request.action),
        outcome=OUTCOMES.get(request.outcome),
    )


def records_response(page: Page[AuditRecord]) -> auth_pb.ListAuditRecordsResponse:
    """Returns the response with a page of the audit."""
    response = auth_pb.ListAuditRecordsResponse(entries=map(record_message, page.items))
    fill_page(response, page)
    return response


def record_message(record: AuditRecord) -> audit_record_pb2.AuditRecord:
    """Returns a record as admins see it."""
    return audit_record_pb2.AuditRecord(
        id=str(record.id),
        occurred_at=timestamp(record.occurred_at),
        event=EVENT_NUMBERS[record.event],
        action=ACTION_NUMBERS[record.action],
        outcome=OUTCOME_NUMBERS[record.outcome],
        actor_id=str(record.actor_id or ""),
        actor_name=record.actor_name,
        actor_role=ROLE_NUMBERS[record.actor_role] if record.actor_role else None,
        session_id=str(record.session_id or ""),
        address=record.address,
        user_agent=record.user_agent,
        rpc=record.rpc,
        object_kind=record.object_kind,
        object_id=str(record.object_id or ""),
        patient_ids=map(str, record.patient_ids),
        purpose=record.purpose,
        request_id=record.request_id,
        reason=record.reason,
    )


def access_filter(request: clinical_pb.ListAccessLogRequest) -> AccessFilter:
    """Returns the filter of a request. Raises ValidationFailed for a date that does not exist."""
    return AccessFilter(read_period(request), EVENTS.get(request.event), request.exclude_own_reads)


def access_log_response(page: Page[Access]) -> clinical_pb.ListAccessLogResponse:
    """Returns the response with a page of the accesses to a patient's record."""
    response = clinical_pb.ListAccessLogResponse(entries=map(access_message, page.items))
    fill_page(response, page)
    return response


def access_message(access: Access) -> access_log_pb2.AccessLogEntry:
    """Returns an access as the patient sees it."""
    return access_log_pb2.AccessLogEntry(
        id=str(access.id),
        occurred_at=timestamp(access.occurred_at),
        actor_name=access.actor_name,
        actor_role=ROLE_NUMBERS[access.actor_role] if access.actor_role else None,
        actor_workplace=access.actor_workplace,
        event=EVENT_NUMBERS[access.event],
        action=ACTION_NUMBERS[access.event.action],
        prescription_number=access.prescription_number,
        changed_fields=access.changed_fields,
    )
