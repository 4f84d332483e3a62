"""The emails that a worker has claimed: those that wait, and those that it sends or has not recorded yet."""

from collections import deque
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from server.mailer.entities import ClaimedEmail
from server.mailer.storage.queue import LEASE_SECONDS

MAX_AT_ONCE: Final = 8
"""Emails that a worker sends concurrently or has sent but not yet recorded; so also its connections to the mail server,
and the most emails that are sent twice when it is killed."""
MAX_BULK: Final = 6
"""The most of these without a one-time code, so that an email with a code never waits for a free slot."""
MAX_CLAIMED: Final = 24
"""Emails that a worker claims at once, these included: while some are sent, the next ones are already claimed. More
would keep them from other workers."""
MAX_BULK_CLAIMED: Final = 18


@dataclass(slots=True)
class _Lease:
    """A waiting email; `since`: when its lease began at the earliest, by the worker's clock."""

    mail: ClaimedEmail
    claimed: float
    since: float


class InHand:
    """The emails of one worker. Times are seconds of a clock that goes on while the process is stopped."""

    def __init__(self) -> None:
        self._urgent: deque[_Lease] = deque()
        self._bulk: deque[_Lease] = deque()
        self._begun: dict[UUID, ClaimedEmail] = {}

    @property
    def room(self) -> tuple[int, int]:
        """The number of emails that can be claimed, and how many of them without a code."""
        begun_bulk = self._count_begun_bulk()
        bulk = begun_bulk + len(self._bulk)
        return MAX_CLAIMED - len(self._begun) - len(self._bulk) - len(self._urgent), MAX_BULK_CLAIMED - bulk

    @property
    def wants_more(self) -> bool:
        """True if so few emails wait that more should be claimed."""
        return len(self._bulk) < MAX_BULK

    @property
    def all(self) -> tuple[ClaimedEmail, ...]:
        """All emails, waiting or not."""
        return (*self._begun.values(), *(lease.mail for lease in (*self._urgent, *self._bulk)))

    def add(self, mails: Iterable[ClaimedEmail], claimed: float) -> None:
        """Adds emails whose claim was requested at this time."""
        for mail in mails:
            (self._urgent if mail.urgent else self._bulk).append(_Lease(mail, claimed, claimed))

    def renew(self, renewed: Set[UUID], held: Iterable[ClaimedEmail], since: float) -> None:
        """Notes leases that were renewed by a request of this time, and forgets waiting emails that have lost theirs.

        held: the emails whose renewal was requested; others were claimed meanwhile.
        """
        lost = {mail.id for mail in held} - renewed
        for waiting in (self._urgent, self._bulk):
            kept = [lease for lease in waiting if lease.mail.id not in lost]
            for lease in kept:
                lease.since = since if lease.mail.id in renewed else lease.since
            waiting.clear()
            waiting.extend(kept)

    def begin(self, now: float) -> list[ClaimedEmail]:
        """Returns the emails to send next, urgent ones first, as many as there are free slots.

        Their `claimed_at` is the present time of the database: an email's code may have expired while it waited. An
        email whose lease has ended is forgotten, because another worker may have sent it.
        """
        free = MAX_AT_ONCE - len(self._begun)
        begun = self._take(self._urgent, free, now)
        bulk = min(free - len(begun), MAX_BULK - self._count_begun_bulk())
        begun += self._take(self._bulk, bulk, now)
        self._begun.update((mail.id, mail) for mail in begun)
        return begun

    def end(self, mails: Iterable[ClaimedEmail]) -> None:
        """Forgets emails whose outcome is recorded."""
        for mail in mails:
            del self._begun[mail.id]

    def take_waiting(self) -> list[ClaimedEmail]:
        """Removes and returns all emails that wait, to give them back to the queue."""
        waiting = [lease.mail for lease in (*self._urgent, *self._bulk)]
        self._urgent.clear()
        self._bulk.clear()
        return waiting

    def _take(self, waiting: deque[_Lease], most: int, now: float) -> list[ClaimedEmail]:
        taken: list[ClaimedEmail] = []
        while waiting and len(taken) < most:
            lease = waiting.popleft()
            if now - lease.since < LEASE_SECONDS:
                waited = timedelta(seconds=now - lease.claimed)
                taken.append(replace(lease.mail, claimed_at=lease.mail.claimed_at + waited))
        return taken

    def _count_begun_bulk(self) -> int:
        return sum(not mail.urgent for mail in self._begun.values())
