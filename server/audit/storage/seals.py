"""The chain in the database: stores seals, finds unsealed records, and reads both for verification."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, case, select, text, tuple_

from server.audit.hash_chain import START, Head
from server.audit.storage.tables import audit_records, audit_seals
from server.db.connection import Connection, Row

AT_ONCE: Final = 1000
"""Number of records that one transaction seals."""
BEFORE_ALL: Final = UUID(int=0)

_COLUMNS: Final = tuple(column.name for column in audit_records.c)
_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('medconnect audit chain'))")
_TAKE_TIME: Final = text("SET LOCAL statement_timeout = 0")
_record, _seal = audit_records.c, audit_seals.c
_unreached = text("(pg_snapshot_xmax(pg_current_snapshot())::text)::bigint")
_LAST: Final = (
    select(
        _seal.position,
        _seal.hash,
        _seal.transaction_id,
        _seal.record_id,
        (_seal.transaction_id >= _unreached).label("ahead"),
    )
    .order_by(_seal.position.desc())
    .limit(1)
)
_behind_last = tuple_(_record.transaction_id, _record.id) > tuple_(
    bindparam("transaction_id", type_=_record.transaction_id.type), bindparam("record_id", type_=_record.id.type)
)
# Nothing below the oldest running transaction (xmin) can still be committed, so the order of these records is final.
_settled = _record.transaction_id < text("(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint")
# A timestamp that Python cannot represent (infinity, before the year 1) can only be forged. It must not stop sealing or
# verifying: it is read as NULL, and so differs from the sealed value.
_moment = case(
    (
        (_record.occurred_at >= text("'0001-01-01 00:00+00'")) & (_record.occurred_at < text("'10000-01-01 00:00+00'")),
        _record.occurred_at,
    )
).label("occurred_at")
_whole = [_moment if column is _record.occurred_at else column for column in _record]
_WAITING: Final = (
    select(*_whole).where(_behind_last, _settled).order_by(_record.transaction_id, _record.id).limit(AT_ONCE)
)
_SEAL: Final = text(
    """
    INSERT INTO audit_seals (position, record_id, transaction_id, hash)
    SELECT * FROM unnest(CAST(:positions AS bigint[]), CAST(:record_ids AS uuid[]),
        CAST(:transaction_ids AS bigint[]), CAST(:hashes AS bytea[]))
    """
)
_SEALED: Final = (
    select(_seal.position, _seal.record_id, _seal.transaction_id, _seal.hash, *_whole)
    .select_from(audit_seals.outerjoin(audit_records, _record.id == _seal.record_id))
    .order_by(_seal.position)
)
_UNSEALED: Final = (
    select(_record.id, _record.transaction_id, _moment)
    .where(~select(_seal.record_id).where(_seal.record_id == _record.id).exists())
    .order_by(_record.transaction_id, _record.id)
)


_HASH_AT: Final = select(_seal.hash).where(_seal.position == bindparam("position"))
# The lag of a chain that cannot continue is the age of its last seal: waiting records cannot be found by order then.
_LAG: Final = text(
    """
    WITH last AS (
        SELECT transaction_id, record_id, sealed_at,
               transaction_id >= (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint AS ahead
        FROM audit_seals ORDER BY position DESC LIMIT 1
    ), known AS (
        SELECT * FROM last
        UNION ALL
        SELECT -1, CAST('00000000-0000-0000-0000-000000000000' AS uuid), now(), false
        WHERE NOT EXISTS (SELECT FROM last)
    )
    SELECT CAST(extract(epoch FROM now() - CASE WHEN known.ahead THEN known.sealed_at ELSE (
        SELECT occurred_at FROM audit_records
        WHERE (transaction_id, id) > (known.transaction_id, known.record_id)
        ORDER BY transaction_id, id LIMIT 1
    ) END) AS float) FROM known
    """
)


@dataclass(frozen=True, slots=True)
class LastSeal:
    """The end of the chain, and the order key of its record."""

    head: Head
    transaction_id: int
    record_id: UUID
    ahead: bool
    """True if this database server has not reached that transaction: a dump of another server was restored here."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A link of the chain with the record that it covers; `record` is None if the record is missing."""

    position: int
    record_id: UUID
    transaction_id: int
    hash: bytes
    record: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A record without a seal."""

    record_id: UUID
    transaction_id: int
    occurred_at: datetime | None


NO_SEAL: Final = LastSeal(Head(0, START), -1, BEFORE_ALL, ahead=False)


class SealRepository:
    """Reads and extends the chain, through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self) -> bool:
        """Acquires the sealing lock until the transaction ends; returns False while another process holds it."""
        return bool(await self._connection.scalar(_LOCK))

    async def last(self) -> LastSeal:
        """Returns the end of the chain."""
        row = await self._connection.first(_LAST)
        if row is None:
            return NO_SEAL
        return LastSeal(Head(row["position"], row["hash"]), row["transaction_id"], row["record_id"], row["ahead"])

    async def contains(self, head: Head) -> bool:
        """Returns whether the chain has this head's hash at its position."""
        found = await self._connection.scalar(_HASH_AT, {"position": head.position})
        return head.position == 0 or found == head.hash

    async def lag(self) -> float:
        """Returns for how many seconds the first unsealed record has been waiting; 0 if there is none."""
        return max(0.0, await self._connection.scalar(_LAG) or 0.0)

    async def waiting(self, last: LastSeal) -> list[Mapping[str, Any]]:
        """Returns the next records to seal, at most AT_ONCE, in their final order."""
        values = {"transaction_id": last.transaction_id, "record_id": last.record_id}
        rows = await self._connection.rows(_WAITING, values)
        return [dict(row) for row in rows]

    async def add(self, seals: Iterable[Seal]) -> None:
        """Stores seals of waiting records."""
        rows = [(seal.position, seal.record_id, seal.transaction_id, seal.hash) for seal in seals]
        names = ("positions", "record_ids", "transaction_ids", "hashes")
        await self._connection.execute(_SEAL, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))

    async def take_time(self) -> None:
        """Disables the statement timeout for this transaction."""
        await self._connection.execute(_TAKE_TIME)

    async def sealed(self) -> AsyncIterator[Seal]:
        """Yields the whole chain from its beginning, with AT_ONCE links in memory at a time."""
        async for row in self._connection.stream(_SEALED, at_once=AT_ONCE):
            yield _seal_of(row)

    async def unsealed(self) -> AsyncIterator[Unsealed]:
        """Yields all records without a seal, in their order."""
        async for row in self._connection.stream(_UNSEALED, at_once=AT_ONCE):
            yield Unsealed(row["id"], row["transaction_id"], row["occurred_at"])


def _seal_of(row: Row) -> Seal:
    position, record_id, sealed_in, covered, *values = row
    record = dict(zip(_COLUMNS, values, strict=True))
    return Seal(position, record_id, sealed_in, covered, None if record["id"] is None else record)
