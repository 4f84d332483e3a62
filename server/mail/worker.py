"""The worker: claims mails, has them composed, sends them, and writes down what became of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from typing import Final
from uuid import UUID

import structlog

from server.db.identifiers import new_id
from server.errors import Unavailable
from server.mail.entities import ClaimedMail
from server.mail.mailer import DeliveryFailed, Mailer
from server.mail.outcome import (
    EXPIRED,
    LEAST_SPREAD,
    MOST_SPREAD,
    GivenUp,
    Outcome,
    Postponed,
    Sent,
    after_failed_composing,
    after_failed_delivery,
)
from server.mail.repository import MailRepository
from server.unit_of_work import UnitOfWork

MAX_AT_ONCE: Final = 8
"""Mails that one worker has in hand, and so its connections to the mail server."""
POLL_SECONDS: Final = 1.0
LIFE_SECONDS: Final = 10.0
"""A third of a lease, and of the time after which a silent worker counts as dead."""

Compose = Callable[[ClaimedMail], Awaitable[EmailMessage]]

_log = structlog.get_logger()
_random = secrets.SystemRandom()


class MailWorker:
    """One worker; any number may share the queue, in this process and others.

    max_attempts: how often a mail that is refused for the moment is tried.
    """

    def __init__(self, work: UnitOfWork, compose: Compose, mailer: Mailer, *, max_attempts: int) -> None:
        self._work = work
        self._compose = compose
        self._mailer = mailer
        self._max_attempts = max_attempts
        self._id = new_id()
        self._in_hand: dict[UUID, ClaimedMail] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block is left, then finish what is in hand. For one use."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run())
            try:
                yield
            finally:
                self._stopping = True
                self.nudge()

    def nudge(self) -> None:
        """Look for mails now rather than within a second: one was probably added."""
        self._wake.set()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as upkeep:
            life = upkeep.create_task(self._show_life())
            await self._send_until_stopped()
            life.cancel()
        with suppress(Unavailable):
            async with self._work.begin() as tx:
                await MailRepository(tx.connection).forget_worker(self._id)

    async def _send_until_stopped(self) -> None:
        async with asyncio.TaskGroup() as sends:
            while not self._stopping:
                for mail in await self._claim():
                    self._in_hand[mail.id] = mail
                    sends.create_task(self._handle(mail))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
                self._wake.clear()

    async def _show_life(self) -> None:
        """Prove that this worker lives, and keep its leases: a slow dialog may take longer than one."""
        while True:
            try:
                async with self._work.begin() as tx:
                    queue = MailRepository(tx.connection)
                    await queue.show_life(self._id)
                    await queue.renew(self._in_hand.values())
            except Exception as error:
                _log.warning("mail_worker_silent", error=type(error).__name__)
            await asyncio.sleep(LIFE_SECONDS)

    async def _claim(self) -> tuple[ClaimedMail, ...]:
        room = MAX_AT_ONCE - len(self._in_hand)
        if room == 0:
            return ()
        try:
            async with self._work.begin() as tx:
                return await MailRepository(tx.connection).claim(room)
        except Exception as error:  # a schema that is being migrated, say: whatever it is, the queue is asked again
            _log.warning("mails_not_claimed", error=type(error).__name__)
            return ()

    async def _handle(self, mail: ClaimedMail) -> None:
        try:
            outcome = await self._deliver(mail)
            await self._write_down(mail, outcome)
        except Exception as error:  # the lease lapses, and the mail is tried again
            _log.warning("mail_outcome_unrecorded", mail=str(mail.id), error=type(error).__name__)
        finally:
            del self._in_hand[mail.id]
            self.nudge()

    async def _deliver(self, mail: ClaimedMail) -> Outcome:
        if mail.expired:
            return GivenUp(EXPIRED)
        spread = _random.uniform(LEAST_SPREAD, MOST_SPREAD)
        try:
            await self._mailer.send(await self._compose(mail))
        except DeliveryFailed as failure:
            return after_failed_delivery(mail, failure, self._max_attempts, spread)
        except Unavailable:
            raise
        except Exception as fault:  # whatever is wrong with one mail, the others must flow; it is logged and counted
            _log.exception("mail_not_composed", mail=str(mail.id), kind=mail.kind.value)
            return after_failed_composing(mail, f"could not be composed: {type(fault).__name__}", spread)
        return Sent()

    async def _write_down(self, mail: ClaimedMail, outcome: Outcome) -> None:
        async with self._work.begin() as tx:
            queue = MailRepository(tx.connection)
            match outcome:
                case Sent():
                    written = await queue.complete(mail)
                case Postponed(seconds, error, counted):
                    written = await queue.postpone(mail, seconds, error, counted=counted)
                case GivenUp(error):
                    written = await queue.give_up(mail, error)
        _log.info("mail_handled", mail=str(mail.id), outcome=type(outcome).__name__, written=written)
