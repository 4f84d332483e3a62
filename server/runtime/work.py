"""The unit of work of this service: how each repository is built, and which commits wake the background jobs."""

from collections.abc import Callable
from functools import partial
from typing import Final

from server.db.pool import Pool
from server.db.unit_of_work import Builders, Transaction, UnitOfWork
from server.events.storage.events import EventRepository
from server.mailer.subscriptions import emails_of
from server.outbox.storage.outbox import Outbox

BUILDERS: Final[Builders] = {EventRepository: partial(EventRepository, emails_of=emails_of)}
"""Repositories whose constructor needs more than the connection."""


def unit_of_work(
    pool: Pool,
    happened: Callable[[], None] = lambda: None,
    *,
    joins: bool = True,
    failed: Callable[[BaseException], None] = lambda _: None,
) -> UnitOfWork:
    """Returns the unit of work on a pool. happened: called after each commit that leaves events or emails.

    joins, failed: see UnitOfWork.
    """

    def committed(tx: Transaction) -> None:
        events, outbox = tx.used(EventRepository), tx.used(Outbox)
        if (events and events.recorded) or (outbox and outbox.added):
            happened()

    return UnitOfWork(pool, BUILDERS, committed, joins=joins, failed=failed)
