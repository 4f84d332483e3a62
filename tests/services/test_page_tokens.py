"""Tests that page tokens stay valid over releases: no list has changed its scope, and each reads its former cursors.

The services read from a stub that returns the same rows for every list, because only tokens matter here.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import pytest

from server.access_log.entities import AccessFilter, AuditFilter
from server.access_log.service import AuditService
from server.audit.events import AuditEvent
from server.auth.entities import UserFilter, UserStatus
from server.auth.organisation_entities import OrganisationFilter, OrganisationKind
from server.auth.services.accounts import AccountService
from server.auth.services.members import MemberService
from server.auth.services.organisations import OrganisationService
from server.clinical.entities import PrescriptionStatus
from server.clinical.services.histories import HistoryService
from server.clinical.services.patients import PatientService
from server.clinical.services.prescriptions import PrescriptionService
from server.clinical.services.visits import VisitService
from server.clock import Clock
from server.date_range import Period
from server.errors import PageTokenInvalid
from server.identity import Caller, Role
from server.outbox.entities import EmailState
from server.pagination import CursorValue, PageRequest, PageTokens
from server.pharmacy.entities import HistoryFilter, PharmacyAction
from server.pharmacy.services.pharmacy import PharmacyService
from server.queue_admin.service import EventsService

TOKENS: Final = PageTokens(bytes(32))
CALLER_ID: Final = "01930000-0000-7000-8000-00000000000a"
PATIENT_ID: Final = "01930000-0000-7000-8000-00000000000b"
ROW_ID: Final = "01930000-0000-7000-8000-00000000000c"
CALLER: Final = Caller(UUID(CALLER_ID), Role.DOCTOR, UUID(CALLER_ID))
MEMBER: Final = replace(CALLER, organisation_id=UUID(PATIENT_ID))
"""The caller as a member of a pharmacy."""
PATIENT: Final = UUID(PATIENT_ID)
MOMENT: Final = datetime(2026, 11, 22, 10, 30, 0, 123_456, tzinfo=UTC)
DAY: Final = date(2026, 11, 22)
PERIOD: Final = Period(date(2026, 1, 1), date(2026, 12, 31))
NAME: Final = "jörg o'neil"
ROW: Final = SimpleNamespace(
    id=UUID(ROW_ID), created_at=MOMENT, occurred_at=MOMENT, visit_date=DAY, day=DAY, since=MOMENT, sort_name=NAME
)

MOMENT_TEXT: Final = "2026-11-22T10:30:00.123456+00:00"
PERIOD_TEXT: Final = "Period(first=datetime.date(2026, 1, 1), last=datetime.date(2026, 12, 31))"


class StubRepository:
    """Returns a page with a following one for every list, and keeps the cursor that the list continued after."""

    def __init__(self) -> None:
        self.after: object = None

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def called(*arguments: object) -> Any:
            match name:
                case "history_is_open":
                    return True
                case "get" | "by_user":
                    return SimpleNamespace(id=PATIENT, existing_conditions=())
                case _:
                    self.after = arguments[-2]
                    return (ROW, ROW), 2

        return called


class StubWork:
    """Opens transactions whose repositories are all the same stub."""

    def __init__(self, repository: StubRepository) -> None:
        self._repository = repository

    def __getitem__(self, kind: type[Any]) -> StubRepository:
        return self._repository

    @asynccontextmanager
    async def read(self) -> AsyncIterator["StubWork"]:
        yield self


Listed = Callable[[Any, PageRequest], Awaitable[Any]]
CLOCK: Final = Clock()
UNUSED: Final[Any] = None


def list_users(work: Any, page: PageRequest) -> Awaitable[Any]:
    service = AccountService(work, UNUSED, UNUSED, TOKENS, UNUSED, UNUSED, UNUSED, UNUSED, UNUSED, confirms_email=False)
    return service.list_users(CALLER, UserFilter(Role.DOCTOR, UserStatus.ACTIVE, "o'neil|x"), page)


def list_organisations(work: Any, page: PageRequest) -> Awaitable[Any]:
    wanted = OrganisationFilter(OrganisationKind.HOSPITAL, "o'neil|x")
    return OrganisationService(work, TOKENS, UNUSED, UNUSED).list_organisations(CALLER, wanted, page)


def list_members(work: Any, page: PageRequest) -> Awaitable[Any]:
    return MemberService(work, TOKENS, UNUSED, UNUSED).list_members(CALLER, PATIENT, page)


def list_patients(work: Any, page: PageRequest) -> Awaitable[Any]:
    return PatientService(work, CLOCK, TOKENS).search(CALLER, "o'neil", page)


def list_visits(work: Any, page: PageRequest) -> Awaitable[Any]:
    return VisitService(work, CLOCK, TOKENS).list_own(CALLER, PATIENT, PERIOD, page)


def list_prescriptions(work: Any, page: PageRequest) -> Awaitable[Any]:
    service = PrescriptionService(work, CLOCK, UNUSED, TOKENS, valid=UNUSED)
    statuses = (PrescriptionStatus.SCANNED, PrescriptionStatus.PENDING, PrescriptionStatus.SCANNED)
    return service.list_own(CALLER, statuses, PATIENT, PERIOD, page)


def list_my_prescriptions(work: Any, page: PageRequest) -> Awaitable[Any]:
    service = PrescriptionService(work, CLOCK, UNUSED, TOKENS, valid=UNUSED)
    return service.list_mine(CALLER, (PrescriptionStatus.PENDING,), page)


async def get_medical_history(work: Any, page: PageRequest) -> Any:
    return (await HistoryService(work, CLOCK, UNUSED, TOKENS).own(CALLER, page)).entries


def get_patient_history(work: Any, page: PageRequest) -> Awaitable[Any]:
    return HistoryService(work, CLOCK, UNUSED, TOKENS).of_patient(CALLER, PATIENT, page)


def list_dispensing_history(work: Any, page: PageRequest) -> Awaitable[Any]:
    return pharmacy(work).history(MEMBER, HistoryFilter(PERIOD, PharmacyAction.SCAN), page)


def list_prescription_log(work: Any, page: PageRequest) -> Awaitable[Any]:
    return pharmacy(work).log(MEMBER, PATIENT, page)


def pharmacy(work: Any) -> PharmacyService:
    return PharmacyService(work, CLOCK, UNUSED, TOKENS, UNUSED, lease=UNUSED, limits=UNUSED, currency="EUR")


def list_audit_records(work: Any, page: PageRequest) -> Awaitable[Any]:
    wanted = AuditFilter(Period(), actor_id=PATIENT, event=AuditEvent.AUDIT_READ)
    return AuditService(work, CLOCK, TOKENS).list_records(CALLER, wanted, page)


def list_access_log(work: Any, page: PageRequest) -> Awaitable[Any]:
    wanted = AccessFilter(PERIOD, AuditEvent.PATIENT_READ)
    return AuditService(work, CLOCK, TOKENS).list_accesses(CALLER, wanted, page)


def list_emails(work: Any, page: PageRequest) -> Awaitable[Any]:
    states = (EmailState.PENDING, EmailState.FAILED, EmailState.PENDING)
    return EventsService(work, CLOCK, TOKENS).list_emails(CALLER, states, page)


BY_MOMENT: Final = (MOMENT_TEXT, ROW_ID)
BY_DAY: Final = ("2026-11-22", ROW_ID)
BY_NAME: Final = (NAME, ROW_ID)
BY_NAME_BEFORE: Final = (ROW_ID,)
AUDIT_TEXT: Final = (
    f"AuditFilter(period=Period(first=None, last=None), actor_id=UUID('{PATIENT_ID}'), patient_id=None, role=None, "
    "event=<AuditEvent.AUDIT_READ: 'audit_read'>, action=None, outcome=None)"
)

LISTS: Final[tuple[tuple[Listed, tuple[CursorValue, ...], str], ...]] = (
    (list_users, BY_MOMENT, 'ListUsers|doctor|active|"o\'neil|x"'),
    (list_organisations, BY_MOMENT, 'ListOrganisations|hospital|"o\'neil|x"'),
    (list_members, BY_MOMENT, f"ListMembers|{PATIENT_ID}"),
    (list_patients, BY_NAME, 'ListPatients|"o\'neil"'),
    (list_visits, BY_DAY, f"ListMedicalVisits|{PATIENT_ID}|{PERIOD_TEXT}"),
    (
        list_prescriptions,
        BY_MOMENT,
        "ListPrescriptions|(<PrescriptionStatus.PENDING: 'pending'>, <PrescriptionStatus.SCANNED: 'scanned'>)"
        f"|{PATIENT_ID}|{PERIOD_TEXT}",
    ),
    (list_my_prescriptions, BY_MOMENT, "ListMyPrescriptions|(<PrescriptionStatus.PENDING: 'pending'>,)"),
    (get_medical_history, BY_DAY, "GetMedicalHistory"),
    (get_patient_history, BY_DAY, f"GetPatientHistory|{PATIENT_ID}"),
    (list_dispensing_history, BY_MOMENT, f"ListDispensingHistory|{PERIOD_TEXT}|scan"),
    (list_prescription_log, BY_MOMENT, f"ListPrescriptionLog|{PATIENT_ID}"),
    (list_audit_records, BY_MOMENT, f"ListAuditRecords|{AUDIT_TEXT}"),
    (list_access_log, BY_MOMENT, f"ListAccessLog|{PERIOD_TEXT}|patient_read"),
    (list_emails, BY_MOMENT, "ListEmails|[<EmailState.FAILED: 'failed'>, <EmailState.PENDING: 'pending'>]"),
)
"""Each list with the cursor and the scope (without the caller's id) of its tokens."""


def named(value: object) -> str | None:
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("listed", "cursor", "scope"), LISTS, ids=named)
async def test_token_of_list_equals_released_one(listed: Listed, cursor: tuple[CursorValue, ...], scope: str) -> None:
    issued = (await listed(StubWork(StubRepository()), PageRequest(1, ""))).next_page_token
    assert issued == TOKENS.issue(cursor, f"{CALLER_ID}|{scope}", sealed=cursor == BY_NAME)


@pytest.mark.parametrize(("listed", "cursor", "scope"), LISTS, ids=named)
async def test_released_token_continues_list(listed: Listed, cursor: tuple[CursorValue, ...], scope: str) -> None:
    repository = StubRepository()
    after = {
        BY_MOMENT: (MOMENT, UUID(ROW_ID)),
        BY_DAY: (DAY, UUID(ROW_ID)),
        BY_NAME: (NAME, UUID(ROW_ID)),
        BY_NAME_BEFORE: (None, UUID(ROW_ID)),
    }
    for released in (cursor, BY_NAME_BEFORE) if cursor == BY_NAME else (cursor,):
        token = TOKENS.issue(released, f"{CALLER_ID}|{scope}", sealed=released == BY_NAME)
        await listed(StubWork(repository), PageRequest(1, token))
        assert repository.after == after[released]  # type: ignore[index]


async def test_token_of_list_by_name_hides_the_name() -> None:
    token = (await list_patients(StubWork(StubRepository()), PageRequest(1, ""))).next_page_token
    assert NAME.encode() not in base64.urlsafe_b64decode(token + "==")
    other = PageTokens(bytes(32 * [1]))
    for tokens, scope in ((other, 'ListPatients|"o\'neil"'), (TOKENS, "ListPatients|None")):
        with pytest.raises(PageTokenInvalid):
            tokens.read(token, f"{CALLER_ID}|{scope}")
    assert PageTokens(bytes(32 * [1]), bytes(32)).read(token, f'{CALLER_ID}|ListPatients|"o\'neil"') == BY_NAME


@pytest.mark.parametrize("name", ["\U00020000" * 200, "x" * 200, "\u4e00" * 200])
async def test_token_of_any_name_is_short_enough(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ROW, "sort_name", name)
    token = (await list_patients(StubWork(StubRepository()), PageRequest(1, ""))).next_page_token
    assert len(token) <= 1000
    repository = StubRepository()
    await list_patients(StubWork(repository), PageRequest(1, token))
    assert repository.after in ((name, UUID(ROW_ID)), (None, UUID(ROW_ID)))


@pytest.mark.parametrize(("listed", "cursor", "scope"), LISTS, ids=named)
async def test_token_with_other_cursor_is_refused(listed: Listed, cursor: tuple[CursorValue, ...], scope: str) -> None:
    for other in ((), (*cursor, ROW_ID), tuple(7 for _ in cursor), tuple("x" for _ in cursor)):
        with pytest.raises(PageTokenInvalid):
            await listed(StubWork(StubRepository()), PageRequest(1, TOKENS.issue(other, f"{CALLER_ID}|{scope}")))
