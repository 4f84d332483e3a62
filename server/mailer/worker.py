"""The worker: claims emails, delivers them, and records the outcomes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from server import background
from server.db.identifiers import new_id
from server.db.unit_of_work import UnitOfWork
from server.errors import Unavailable
from server.mailer.circuit_breaker import PROBE_SECONDS
from server.mailer.delivery import Delivery
from server.mailer.entities import ClaimedEmail
from server.mailer.in_hand import MAX_BULK_CLAIMED, InHand
from server.mailer.message import OutgoingEmail
from server.mailer.outcome import DeliveryOutcome
from server.mailer.storage.queue import EmailQueue

POLL_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 10.0
"""The heartbeat: a third of a lease, and of the silence after which a worker counts as dead."""
RECORD_AGAIN_SECONDS: Final = 0.5
"""The pause before outcomes are recorded again after a failure of the database."""

_log = structlog.get_logger()


class EmailWorker:
    """One worker; any number may share the queue, in this process and others.

    changed: called when emails have changed state. is_fallback: True if it works only while no other worker does.
    """

    def __init__(
        self, work: UnitOfWork, delivery: Delivery, changed: Callable[[], None], *, is_fallback: bool = False
    ) -> None:
        self._work = work
        self._delivery = delivery
        self._changed = changed
        self._is_fallback = is_fallback
        self._id = new_id()
        self._in_hand = InHand()
        self._outcomes: list[tuple[ClaimedEmail, DeliveryOutcome]] = []
        self._wake = asyncio.Event()
        self._to_send = asyncio.Event()
        self._to_record = asyncio.Event()
        self._to_report = asyncio.Event()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sends emails until the block is left, then finishes the claimed ones. For one use."""
        async with background.running(self._run(), self._stop):
            yield

    def _stop(self) -> None:
        self._stopping = True
        self.wake()
        self._to_send.set()

    def wake(self) -> None:
        """Polls the queue now rather than within a second: an email was probably added."""
        self._wake.set()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as upkeep:
            works = (self._record_heartbeats(), self._record_until_stopped(), self._probe())
            tasks = [upkeep.create_task(work) for work in works]
            await self._work_until_stopped()
            for task in tasks:
                task.cancel()
        with suppress(Unavailable):
            await self._record_outcomes()
        with suppress(Unavailable):
            async with self._work.begin() as tx:
                await tx[EmailQueue].forget_worker(self._id)
        await self._delivery.mailer.close()

    async def _work_until_stopped(self) -> None:
        """Claims emails and sends them; when asked to stop, gives back those that wait and finishes the others."""
        async with asyncio.TaskGroup() as deliveries:
            claiming = deliveries.create_task(self._claim_until_stopped())
            while not (self._stopping and claiming.done()):
                if self._stopping or self._delivery.circuit.open:
                    await self._give_back()
                elif begun := self._in_hand.begin(_now()):
                    deliveries.create_task(self._handle(begun))
                    self._claim_if_few_wait()
                await background.set_within(self._to_send, POLL_SECONDS)
                self._to_send.clear()
            await self._give_back()

    async def _claim_until_stopped(self) -> None:
        while not self._stopping:
            claimed = await self._claim()
            if len(claimed) < MAX_BULK_CLAIMED:
                await background.set_within(self._wake, POLL_SECONDS)
            self._wake.clear()
        self._to_send.set()

    def _claim_if_few_wait(self) -> None:
        if self._in_hand.wants_more:
            self.wake()

    async def _claim(self) -> tuple[ClaimedEmail, ...]:
        room, bulk_room = self._in_hand.room
        if room == 0 or self._delivery.circuit.open:
            return ()
        asked = _now()
        try:
            async with self._work.begin() as tx:
                claimed = await tx[EmailQueue].claim(room, min(room, bulk_room))
        except Exception as error:  # for example during a migration; after any error the queue is polled again
            _log.warning("emails_not_claimed", error=type(error).__name__)
            return ()
        if claimed:
            self._in_hand.add(claimed, asked)
            self._to_send.set()
            self._changed()
        return claimed

    async def _give_back(self) -> None:
        """Returns waiting emails to the queue: this worker stops, or cannot reach the mail server."""
        waiting = self._in_hand.take_waiting()
        if not waiting:
            return
        try:
            async with self._work.begin() as tx:
                await tx[EmailQueue].release(waiting)
        except Exception as error:  # their leases end within half a minute
            _log.warning("emails_not_released", error=type(error).__name__)
        else:
            self._changed()

    async def _handle(self, mails: Sequence[ClaimedEmail]) -> None:
        """Composes emails together and sends them concurrently."""
        prepared = await self._delivery.prepare(mails)
        async with asyncio.TaskGroup() as sending:
            for mail in mails:
                ready = prepared[mail.id]
                if isinstance(ready, OutgoingEmail):
                    sending.create_task(self._send(mail, ready))
                else:
                    self._add_outcome(mail, ready)

    async def _send(self, mail: ClaimedEmail, email: OutgoingEmail) -> None:
        was_open = self._delivery.circuit.open
        self._add_outcome(mail, await self._delivery.send(mail, email))
        if self._delivery.circuit.open is not was_open:
            self._to_report.set()
            self._to_send.set()

    def _add_outcome(self, mail: ClaimedEmail, outcome: DeliveryOutcome) -> None:
        self._outcomes.append((mail, outcome))
        self._to_record.set()

    async def _record_until_stopped(self) -> None:
        """Records outcomes, in one statement all that have accumulated.

        Until that succeeds, the emails stay claimed and their leases are renewed: a recipient must not get an email
        twice because the database was briefly unavailable.
        """
        while True:
            await self._to_record.wait()
            self._to_record.clear()
            try:
                await self._record_outcomes()
            except Exception as error:
                _log.warning("email_outcomes_not_recorded", error=type(error).__name__)
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
                self._to_record.set()

    async def _record_outcomes(self) -> None:
        outcomes = tuple(self._outcomes)
        if not outcomes:
            return
        async with self._work.begin() as tx:
            recorded = await tx[EmailQueue].record_outcomes(outcomes)
        del self._outcomes[: len(outcomes)]
        self._in_hand.end(mail for mail, _ in outcomes)
        for mail, outcome in outcomes:
            written = mail.id in recorded
            _log.info("email_handled", email_id=str(mail.id), outcome=type(outcome).__name__, written=written)
        self._to_send.set()
        self._claim_if_few_wait()
        self._changed()

    async def _record_heartbeats(self) -> None:
        """Records a heartbeat and renews the leases: a slow SMTP dialog may take longer than one."""
        while True:
            self._to_report.clear()
            asked, held = _now(), self._in_hand.all
            try:
                async with self._work.begin() as tx:
                    queue = tx[EmailQueue]
                    await queue.record_heartbeat(
                        self._id, circuit_open=self._delivery.circuit.open, is_fallback=self._is_fallback
                    )
                    renewed = await queue.renew(held)
                    expired, released = await queue.expire(), await queue.release_held()
                self._in_hand.renew(renewed, held, asked)
                if expired:
                    self._changed()
                if released:
                    self.wake()
            except Exception as error:
                _log.warning("heartbeat_not_recorded", error=type(error).__name__)
            await background.set_within(self._to_report, HEARTBEAT_SECONDS)

    async def _probe(self) -> None:
        """Probes the mail server while the circuit is open."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            if self._delivery.circuit.open and await self._delivery.probe():
                self._to_report.set()
                self.wake()


def _now() -> float:
    """Returns the loop's time, which goes on while the process is stopped."""
    return asyncio.get_running_loop().time()
