"""Seals committed audit records into one hash chain, within about a second.

After each batch the new end of the chain is signed and kept in a separate sink, so it survives any manipulation of the
database.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
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
    """The chain ends in a transaction that this database server has not reached, so it cannot be continued here.

    New records would be ordered before the end of the chain. This happens when a dump is restored on another server; a
    physical copy can continue the chain.
    """


class ChainCut(Exception):
    """The chain lacks a seal that this process has written or read before: its end was removed or rewritten."""


@dataclass(frozen=True, slots=True)
class HeadKeeper:
    """Signs heads and writes them to a sink."""

    key: HeadKey
    sink: HeadSink
    clock: Clock

    async def keep(self, head: Head) -> None:
        """Writes a head to the sink. Raises OSError."""
        await self.sink.write(line_of(self.key.sign(head), self.clock.now().isoformat(timespec="milliseconds")))


class SealWorker:
    """Seals records while it runs; an advisory lock lets one process at a time seal.

    sealed: called after each round that sealed all records. kept: called when the current head is kept, too.
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
        """The end of the chain after this process's last round."""
        self._last_kept: Head | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Seals every half second, and logs the signed head each minute, until the block is left."""
        async with (
            background.running(_repeat(self._round, PAUSE_SECONDS)),
            background.running(_repeat(self.log_head, HEAD_SECONDS)),
        ):
            yield

    async def seal(self) -> None:
        """Seals all records whose order is final (no running transaction can precede them); keeps each batch's head.

        Raises ChainAhead, ChainCut, Unavailable. A head that cannot be kept is retried in the next round.
        """
        await self._seal_all()

    async def log_head(self) -> None:
        """Logs the signed end of the chain, in addition to the sink."""
        async with self._work.read() as tx:
            last = await tx[SealRepository].last()
        signed = self._keeper.key.sign(last.head)
        _log.info(HEAD_EVENT, position=signed.position, hash=signed.hash, key=signed.key, signature=signed.signature)

    async def _round(self) -> None:
        if not await self._seal_all():
            return  # another process seals, and reports it
        await self._sealed()
        if self._last_kept == self.end:
            await self._kept()

    async def _seal_all(self) -> bool:
        """Seals all records and keeps the heads; returns False while another process seals."""
        sealed: int | None = AT_ONCE
        while sealed == AT_ONCE:
            sealed = await self._seal_batch()
            await self._keep_head()
        return sealed is not None

    async def _seal_batch(self) -> int | None:
        """Seals up to AT_ONCE records; returns how many, or None while another process seals.

        `end` is set after the commit: a head of a transaction that was rolled back must not be kept.
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
        except OSError as error:  # the records are sealed, and the next head covers them too
            _log.error("audit_head_not_kept", error=type(error).__name__)
            self._failed()
        else:
            self._last_kept = self.end


def links(head: Head, records: Iterable[Mapping[str, Any]]) -> Iterator[Seal]:
    """Yields the seals of records that follow a head, in order."""
    position, covered = head.position, head.hash
    for record in records:
        position, covered = position + 1, next_hash(covered, record)
        yield Seal(position, record["id"], record["transaction_id"], covered, record)


def _repeat(work: Callable[[], Awaitable[None]], every: float) -> Coroutine[Any, Any, None]:
    """Repeats work whatever fails: unsealed records stay queued, and the next round retries."""
    return background.repeat(work, every=every, failed="audit_not_sealed", level=logging.ERROR)
