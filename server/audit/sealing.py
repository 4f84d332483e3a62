"""Seals what was recorded: the worker brings committed records into one chain, a second behind at most."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from server import background
from server.audit.chain import Head, HeadKey, next_hash
from server.audit.seal_repository import AT_ONCE, Seal, SealRepository
from server.unit_of_work import UnitOfWork

PAUSE_SECONDS: Final = 0.5
HEAD_SECONDS: Final = 60.0
HEAD_EVENT: Final = "audit_head"
"""The log event that carries a signed head."""

_log = structlog.get_logger()


class ChainAhead(Exception):
    """The chain ends in a transaction that this database server has not reached: it cannot go on here.

    What is recorded now would have its place before the chain's end. It happens to a dump in another server; a physical
    copy goes on.
    """


class Sealing:
    """Seals records while it runs; of several processes one does it at a time."""

    def __init__(self, work: UnitOfWork, key: HeadKey) -> None:
        self._work = work
        self._key = key

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Seal every half second, and log the signed head each minute, until the block is left."""
        async with (
            background.running(_repeated(self.seal, PAUSE_SECONDS)),
            background.running(_repeated(self.log_head, HEAD_SECONDS)),
        ):
            yield

    async def seal(self) -> None:
        """Seal all records that no running transaction can get between any more. Raises ChainAhead, Unavailable."""
        sealed = AT_ONCE
        while sealed == AT_ONCE:
            async with self._work.begin() as tx:
                chain = SealRepository(tx.connection)
                if not await chain.lock():
                    return
                last = await chain.last()
                if last.ahead:
                    raise ChainAhead()
                waiting = await chain.waiting(last)
                if waiting:
                    await chain.add(links(last.head, waiting))
            sealed = len(waiting)

    async def log_head(self) -> None:
        """Log the end of the chain, signed: whoever keeps it can show later that nothing before it was changed."""
        async with self._work.read() as tx:
            last = await SealRepository(tx.connection).last()
        signed = self._key.sign(last.head)
        _log.info(HEAD_EVENT, position=signed.position, hash=signed.hash, signature=signed.signature)


def links(head: Head, records: Iterable[Mapping[str, Any]]) -> Iterator[Seal]:
    """The seals of records that follow a head, in their order."""
    position, covered = head.position, head.hash
    for record in records:
        position, covered = position + 1, next_hash(covered, record)
        yield Seal(position, record["id"], record["transaction_id"], covered, record)


async def _repeated(work: Callable[[], Awaitable[None]], pause: float) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # whatever it is, what waits for its seal waits, and it is tried again
            _log.warning("audit_not_sealed", error=type(error).__name__)
        await asyncio.sleep(pause)
