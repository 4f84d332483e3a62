"""The worker: claims mails, has them delivered, and writes down what became of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import structlog

from server import background
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import Unavailable
from server.mailer.circuit_breaker import PROBE_SECONDS
from server.mailer.delivery import Delivery
from server.mailer.entities import ClaimedEmail
from server.mailer.outcome import DeliveryOutcome
from server.mailer.storage.queue import EmailQueue

MAX_AT_ONCE: Final = 8
"""Mails that one worker has in hand, and so its connections to the mail server."""
MAX_BULK: Final = 6
"""Of these, mails for which nobody sits and waits: a code always finds a free hand."""
POLL_SECONDS: Final = 1.0
LIFE_SECONDS: Final = 10.0
"""A third of a lease, and of the time after which a silent worker counts as dead."""
RECORD_AGAIN_SECONDS: Final = 0.5
"""Before what became of mails is written down again, when the database failed."""

_log = structlog.get_logger()


class EmailWorker:
    """One worker; any number may share the queue, in this process and others.

    changed: called when mails have come into another state. is_fallback: it works only because no other one does.
    """

    def __init__(
        self, work: UnitOfWork, delivery: Delivery, changed: Callable[[], None], *, is_fallback: bool = False
    ) -> None:
        self._work = work
        self._delivery = delivery
        self._changed = changed
        self._is_fallback = is_fallback
        self._id = new_id()
        self._in_hand: dict[UUID, ClaimedEmail] = {}
        self._outcomes: list[tuple[ClaimedEmail, DeliveryOutcome]] = []
        self._wake = asyncio.Event()
        self._to_record = asyncio.Event()
        self._to_show = asyncio.Event()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block is left, then finish what is in hand. For one use."""
        async with background.running(self._run(), self._stop):
            yield

    def _stop(self) -> None:
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Look for mails now rather than within a second: one was probably added."""
        self._wake.set()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as upkeep:
            beside = [upkeep.create_task(work) for work in (self._show_life(), self._record(), self._probe())]
            await self._send_until_stopped()
            for task in beside:
                task.cancel()
        with suppress(Unavailable):
            await self._write_down()
        with suppress(Unavailable):
            async with self._work.begin() as tx:
                await tx[EmailQueue].forget_worker(self._id)
        await self._delivery.mailer.close()

    async def _send_until_stopped(self) -> None:
        async with asyncio.TaskGroup() as deliveries:
            while not self._stopping:
                for mail in await self._claim():
                    self._in_hand[mail.id] = mail
                    deliveries.create_task(self._handle(mail))
                await background.set_within(self._wake, POLL_SECONDS)
                self._wake.clear()

    async def _claim(self) -> tuple[ClaimedEmail, ...]:
        room = MAX_AT_ONCE - len(self._in_hand)
        bulk = sum(not mail.urgent for mail in self._in_hand.values())
        if room == 0 or self._delivery.circuit.open:
            return ()
        try:
            async with self._work.begin() as tx:
                claimed = await tx[EmailQueue].claim(room, min(room, MAX_BULK - bulk))
        except Exception as error:  # a schema that is being migrated, say: whatever it is, the queue is asked again
            _log.warning("mails_not_claimed", error=type(error).__name__)
            return ()
        if claimed:
            self._changed()
        return claimed

    async def _handle(self, mail: ClaimedEmail) -> None:
        was_open = self._delivery.circuit.open
        outcome = await self._delivery.attempt(mail)
        self._outcomes.append((mail, outcome))
        self._to_record.set()
        if self._delivery.circuit.open is not was_open:
            self._to_show.set()

    async def _record(self) -> None:
        """Write down what became of mails, of all at once that came to their end meanwhile.

        Until that has worked they stay in hand, and their leases are kept: who was sent a mail shall not get it again
        because the database was away for a moment.
        """
        while True:
            await self._to_record.wait()
            self._to_record.clear()
            try:
                await self._write_down()
            except Exception as error:
                _log.warning("mail_outcomes_unrecorded", error=type(error).__name__)
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
                self._to_record.set()

    async def _write_down(self) -> None:
        outcomes = tuple(self._outcomes)
        if not outcomes:
            return
        async with self._work.begin() as tx:
            settled = await tx[EmailQueue].settle(outcomes)
        del self._outcomes[: len(outcomes)]
        for mail, outcome in outcomes:
            del self._in_hand[mail.id]
            written = mail.id in settled
            _log.info("mail_handled", mail=str(mail.id), outcome=type(outcome).__name__, written=written)
        self.wake()
        self._changed()

    async def _show_life(self) -> None:
        """Prove that this worker lives, and keep its leases: a slow dialog may take longer than one."""
        while True:
            self._to_show.clear()
            try:
                async with self._work.begin() as tx:
                    queue = tx[EmailQueue]
                    await queue.show_life(
                        self._id, circuit_open=self._delivery.circuit.open, is_fallback=self._is_fallback
                    )
                    await queue.renew(self._in_hand.values())
                    expired = await queue.expire()
                if expired:
                    self._changed()
            except Exception as error:
                _log.warning("mail_worker_silent", error=type(error).__name__)
            await background.set_within(self._to_show, LIFE_SECONDS)

    async def _probe(self) -> None:
        """While the circuit is open, see whether the mail server answers again."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            if self._delivery.circuit.open and await self._delivery.probe():
                self._to_show.set()
                self.wake()
