"""Verifies the chain of sealed records and reports the first position at which it is broken."""

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.audit.hash_chain import START, Head, next_hash
from server.audit.storage.seals import NO_SEAL, Seal, SealRepository
from server.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Broken:
    """The first position at which the chain is broken."""

    position: int
    """Counted from 1; the position of the last valid seal plus one."""
    record_id: UUID | None
    fault: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of verifying the chain."""

    sealed: int
    """Number of records with a valid seal."""
    head: Head
    broken: Broken | None
    unsealed: int
    """Number of records without a seal: written in the last second, or no worker runs."""
    unsealed_since: datetime | None


class ChainBroken(Exception):
    """A link of the chain is invalid."""

    def __init__(self, position: int, record_id: UUID | None, fault: str) -> None:
        super().__init__(fault)
        self.broken = Broken(position, record_id, fault)


class ChainVerifier:
    """Follows the chain link by link; heads: the kept hashes of the chain at some positions."""

    def __init__(self, heads: Iterable[Head]) -> None:
        self._kept: dict[int, set[bytes]] = {}
        for head in heads:
            self._kept.setdefault(head.position, set()).add(head.hash)
        self._head = Head(0, START)
        self._order_key = (NO_SEAL.transaction_id, NO_SEAL.record_id)

    @property
    def head(self) -> Head:
        """The head up to which the chain is verified."""
        return self._head

    @property
    def order_key(self) -> tuple[int, UUID]:
        """The order key (transaction id, record id) of the last verified record."""
        return self._order_key

    def follow(self, seal: Seal) -> None:
        """Verifies the next link. Raises ChainBroken."""
        position = self._head.position + 1
        if seal.position != position:
            raise ChainBroken(position, None, "the seal is gone")
        if seal.record is None:
            raise ChainBroken(position, seal.record_id, "the record is gone")
        order_key = (seal.record["transaction_id"], seal.record["id"])
        expected = next_hash(self._head.hash, seal.record)
        if expected != seal.hash or order_key[0] != seal.transaction_id:
            raise ChainBroken(position, seal.record_id, "the record or its seal was changed")
        if order_key <= self._order_key:
            raise ChainBroken(position, seal.record_id, "the record is in the wrong position")
        if self._kept.get(position, set()) - {expected}:
            raise ChainBroken(position, seal.record_id, "the chain up to here differs from the kept heads")
        self._head, self._order_key = Head(position, expected), order_key

    def finish(self) -> None:
        """Verifies the end of the chain. Raises ChainBroken if a kept head lies beyond it."""
        longest = max(self._kept, default=0)
        if longest > self._head.position:
            raise ChainBroken(self._head.position + 1, None, f"the kept heads saw {longest} records")


async def verify(work: UnitOfWork, heads: Iterable[Head] = ()) -> Verified:
    """Verifies the whole chain, and the order of the records without a seal. Raises Unavailable."""
    verifier = ChainVerifier(heads)
    broken: Broken | None = None
    unsealed, since = 0, None
    async with work.begin() as tx:
        chain = tx[SealRepository]
        await chain.take_time()
        try:
            await _follow_all(verifier, chain.sealed())
            if (await chain.last()).ahead:
                raise ChainBroken(verifier.head.position, None, "the chain is that of another database server")
            async for record in chain.unsealed():
                if (record.transaction_id, record.record_id) <= verifier.order_key:
                    raise ChainBroken(
                        verifier.head.position,
                        record.record_id,
                        "an unsealed record was inserted before the chain's end",
                    )
                unsealed, since = unsealed + 1, since or record.occurred_at
        except ChainBroken as found:
            broken = found.broken
    return Verified(verifier.head.position, verifier.head, broken, unsealed, since)


async def _follow_all(verifier: ChainVerifier, seals: AsyncIterable[Seal]) -> None:
    async for seal in seals:
        verifier.follow(seal)
    verifier.finish()
