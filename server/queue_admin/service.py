"""Use cases of admins for events and the email queue."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from server.audit.audit_context import Subject
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import AuditWriter
from server.auth.storage.accounts import AccountRepository
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork
from server.events.storage.events import EventRepository
from server.identity import Caller
from server.mailer.entities import QueueStatus
from server.mailer.events import AdminTestEvent
from server.mailer.storage.queue import EmailQueue
from server.outbox.entities import EmailState
from server.outbox.storage.outbox import Outbox
from server.pagination import BY_MOMENT, Listing, MomentAndId, Page, PageRequest, PageTokens
from server.queue_admin.coalesced_poll import LONGEST_SILENCE_SECONDS, CoalescedPoll
from server.queue_admin.entities import ListedEmail
from server.queue_admin.feed import EmailFeed, FeedItem
from server.queue_admin.storage.emails import AT_ONCE, EmailListRepository


class EventsService:
    """Use cases of the Events slice."""

    def __init__(self, work: UnitOfWork, clock: Clock, page_tokens: PageTokens) -> None:
        self._work = work
        self._clock = clock
        self._listed = Listing[ListedEmail, MomentAndId](
            page_tokens, "ListEmails", BY_MOMENT, lambda email: (email.created_at, email.id)
        )
        self._states = CoalescedPoll(self.status)
        self._emails = EmailFeed(work)

    def wake(self) -> None:
        """Makes watchers see changes at once: a notification has arrived."""
        self._states.wake()
        self._emails.wake()

    async def end(self) -> None:
        """Waits for reads that are still running, after the last watcher has left."""
        await self._states.end()
        await self._emails.end()

    async def status(self) -> QueueStatus:
        """Returns the current counts and health of the queue."""
        async with self._work.read() as tx:
            return await tx[EmailQueue].status()

    async def watch_status(self) -> AsyncGenerator[QueueStatus, None]:
        """Yields the status at once, then after each change and at least every 20 s, until cancelled.

        Changes faster than the reads are merged into one. Raises Unavailable when the database fails: the caller calls
        again, and never gets an old status as a new one.
        """
        shown = await self.status()
        yield shown
        while True:
            reading = await self._states.next()
            if is_news(reading, shown):
                yield reading
                shown = reading

    def watch_emails(self, after: int | None) -> AsyncGenerator[FeedItem, None]:
        """Yields each email's changes of state after a position in the feed; None: from now on. See EmailFeed.watch."""
        return self._emails.watch(after)

    async def list_emails(self, caller: Caller, states: Sequence[EmailState], page: PageRequest) -> Page[ListedEmail]:
        """Returns a page of emails, newest first. Raises PageTokenInvalid."""
        narrowed = sorted(set(states))
        query = self._listed.query(caller, page, narrowed)
        async with self._work.read() as tx:
            return query.page(*await tx[EmailListRepository].newest(narrowed, query.after, query.size))

    async def retry(self, mail_id: UUID) -> ListedEmail:
        """Puts a failed email back into the queue and returns it. Raises NotFound, EmailNotFailed and EmailExpired."""
        async with self._work.begin() as tx:
            await tx[Outbox].put_back(mail_id)
            await tx[AuditWriter].record(AuditEvent.EMAIL_RETRIED, Subject("email", mail_id))
            return await tx[EmailListRepository].get(mail_id)

    async def clear_completed(self) -> tuple[int, datetime]:
        """Deletes the emails that were sent; returns their number and the time."""
        cleared, batch = 0, AT_ONCE
        async with self._work.begin() as tx:
            while batch == AT_ONCE:
                batch = await tx[EmailListRepository].clear_completed()
                cleared += batch
            await tx[AuditWriter].record(AuditEvent.EMAILS_CLEARED, Subject("emails"))
        self.wake()
        return cleared, self._clock.now()

    async def emit_test(self, caller: Caller, named: str, data: Mapping[str, str]) -> datetime:
        """Records a test event that is emailed to the caller only; returns the time."""
        async with self._work.begin() as tx:
            await tx[EventRepository].record(
                AdminTestEvent(await tx[AccountRepository].get(caller.user_id), named, data)
            )
            await tx[AuditWriter].record(AuditEvent.TEST_EVENT_EMITTED, Subject("account", caller.user_id))
        return self._clock.now()


def is_news(reading: QueueStatus, shown: QueueStatus) -> bool:
    """Returns True if a watcher that last got `shown` should get `reading`: it differs, or the silence was too long."""
    changed = replace(reading, as_of=shown.as_of) != shown
    return changed or reading.as_of - shown.as_of >= timedelta(seconds=LONGEST_SILENCE_SECONDS)
