"""Seals what was recorded: the worker brings committed records into one chain, a second behind at most.

After each batch the chain's new end is signed and kept in a sink of its own, and so outlives whatever is done to the
database.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

from server import background
from server.audit.hash_chain import Head, HeadKey, next_hash
from server.audit.head_sinks import HeadSink
from server.audit.heads import HEAD_EVENT, line_of
from server.audit.storage.seals import AT_ONCE, Seal, SealRepository
from server.clock import Clock
from server.db.unit_of_work import UnitOfWork

PAUSE_SECONDS: Final = 0.5
HEAD_SECONDS: Final = 60.0

_log = structlog.get_logger()


class ChainAhead(Exception):
    """The chain ends in a transaction that this database server has not reached: it cannot go on here.

    What is recorded now would have its place before the chain's end. It happens to a dump in another server; a physical
    copy goes on.
    """


class ChainCut(Exception):
    """The chain does not contain what this process has sealed or seen before: its end was cut off or written anew."""


@dataclass(frozen=True, slots=True)
class HeadKeeper:
    """Signs heads and keeps them."""

    key: HeadKey
    sink: HeadSink
    clock: Clock

    async def keep(self, head: Head) -> None:
        """Writes a head to the sink. Raises OSError."""
        await self.sink.write(line_of(self.key.sign(head), self.clock.now().isoformat(timespec="milliseconds")))


class SealWorker:
    """Seals records while it runs; of several processes one does it at a time.

    sealed, kept: called after each round that left nothing to do: all records are sealed, their head is kept.
    failed: called when a head could not be kept.
    """

    def __init__(
        self,
        work: UnitOfWork,
        keeper: HeadKeeper,
        *,
        sealed: Callable[[], Awaitable[None]] = background.unwatched,
        kept: Callable[[], Awaitable[None]] = background.unwatched,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._keeper = keeper
        self._sealed, self._kept, self._failed = sealed, kept, failed
        self.end: Head | None = None
        """The chain's end as this process knows it."""
        self._last_kept: Head | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Seals every half second, and logs the signed head each minute, until the block is left."""
        async with (
            background.running(_repeat_work(self._round, PAUSE_SECONDS)),
            background.running(_repeat_work(self.log_head, HEAD_SECONDS)),
        ):
            yield

    async def seal(self) -> None:
        """Seals all records that no running transaction can get between any more, and keeps the head of each batch.

        Raises ChainAhead, ChainCut, Unavailable. A head that cannot be kept stays for the next time.
        """
        await self._seal_all()

    async def log_head(self) -> None:
        """Logs the end of the chain, signed, beside what the sink keeps."""
        async with self._work.read() as tx:
            last = await tx[SealRepository].last()
        signed = self._keeper.key.sign(last.head)
        _log.info(HEAD_EVENT, position=signed.position, hash=signed.hash, key=signed.key, signature=signed.signature)

    async def _round(self) -> None:
        if not await self._seal_all():
            return  # another process did it, and reports it
        await self._sealed()
        if self._last_kept == self.end:
            await self._kept()

    async def _seal_all(self) -> bool:
        """Seals and keeps; returns False while another process seals."""
        sealed: int | None = AT_ONCE
        while sealed == AT_ONCE:
            sealed = await self._seal_batch()
            await self._keep_head()
        return sealed is not None

    async def _seal_batch(self) -> int | None:
        """Seals up to AT_ONCE records; returns how many, None while another process seals.

        The head counts only once the transaction is committed.
        """
        async with self._work.begin() as tx:
            chain = tx[SealRepository]
            if not await chain.lock():
                return None
            last = await chain.last()
            if last.ahead:
                raise ChainAhead()
            if self.end is not None and not await chain.contains(self.end):
                raise ChainCut()
            seals = list(links(last.head, await chain.waiting(last)))
            if seals:
                await chain.add(seals)
        self.end = Head(seals[-1].position, seals[-1].hash) if seals else last.head
        return len(seals)

    async def _keep_head(self) -> None:
        if self.end is None or self.end == self._last_kept:
            return
        try:
            await self._keeper.keep(self.end)
        except OSError as error:  # the records are sealed all the same, and the next head covers them too
            _log.error("audit_head_not_kept", error=type(error).__name__)
            self._failed()
        else:
            self._last_kept = self.end


def links(head: Head, records: Iterable[Mapping[str, Any]]) -> Iterator[Seal]:
    """Yields the seals of records that follow a head, in their order."""
    position, covered = head.position, head.hash
    for record in records:
        position, covered = position + 1, next_hash(covered, record)
        yield Seal(position, record["id"], record["transaction_id"], covered, record)


async def _repeat_work(work: Callable[[], Awaitable[None]], pause: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # whatever it is, what waits for its seal waits, and it is tried again
            _log.error("audit_not_sealed", error=type(error).__name__)
        await asyncio.sleep(pause)
