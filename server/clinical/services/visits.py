"""Use cases of medical visits: a doctor records visits and lists their own."""

from uuid import UUID

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.clinical.entities import NewVisit, Visit
from server.clinical.rules.identification import check_identified
from server.clinical.storage.visits import VisitRepository
from server.clock import Clock
from server.date_range import Period
from server.db.unit_of_work import UnitOfWork
from server.identity import Caller
from server.pagination import BY_DAY, DayAndId, Listing, Page, PageRequest, PageTokens
from server.patient_details import check_after_birth, check_past_date


class VisitService:
    """The use cases of medical visits. requires_identification: patients must be identified before a visit."""

    def __init__(
        self, work: UnitOfWork, clock: Clock, page_tokens: PageTokens, *, requires_identification: bool = True
    ) -> None:
        self._work = work
        self._requires_identification = requires_identification
        self._clock = clock
        self._visits = Listing[Visit, DayAndId](
            page_tokens, "ListMedicalVisits", BY_DAY, lambda visit: (visit.visit_date, visit.id)
        )

    async def record(self, caller: Caller, new: NewVisit) -> Visit:
        """Records a visit to the caller.

        Raises ValidationFailed for a date in the future or before the patient's birth, and NotFound and
        PatientNotIdentified for the patient.
        """
        check_past_date(new.visit_date, "visitDate", self._clock.today())
        async with self._work.begin() as tx:
            visit, born, identified = await tx[VisitRepository].insert(caller.user_id, new)
            check_identified(identified, required=self._requires_identification)
            check_after_birth(visit.visit_date, born)
            await tx[AuditWriter].record(AuditEvent.VISIT_CREATED, Subject("visit", visit.id, (visit.patient_id,)))
        return visit

    async def list_own(self, caller: Caller, patient_id: UUID | None, period: Period, page: PageRequest) -> Page[Visit]:
        """Lists the visits that the caller recorded, newest first. Raises ValidationFailed and PageTokenInvalid."""
        period.check()
        query = self._visits.query(caller, page, patient_id, period)
        async with self._work.read() as tx:
            found = await tx[VisitRepository].page_of_doctor(
                caller.user_id, patient_id, period, query.after, query.size
            )
        return query.page(*found)
