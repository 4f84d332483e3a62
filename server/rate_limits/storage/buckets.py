"""Repository of the buckets in the database. It uses the database's clock, so that all processes agree."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Double, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from server.db.connection import Connection
from server.rate_limits.bucket import ROUNDING, Limit

_ASKED: Final = (
    bindparam("names", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(Text)),
    bindparam("steps", type_=ARRAY(Double)),
)

# Existing buckets are locked first, in one order, and then read. A bucket without a row is full, unless a concurrent
# call inserts it meanwhile: then `charged` checks it again, and does not return it if it is empty.
_TAKE: Final = text(
    """
    WITH asked AS (
        SELECT limit_name, key, make_interval(secs => step) AS step,
               make_interval(secs => period + step * :rounding) AS period, number
        FROM unnest(:names, :keys, :steps, :periods) WITH ORDINALITY AS a (limit_name, key, step, period, number)
    ), held AS (
        SELECT b.limit_name, b.key, b.full_at FROM rate_limit_buckets b JOIN asked USING (limit_name, key)
        ORDER BY b.limit_name, b.key FOR UPDATE OF b
    ), judged AS (
        SELECT asked.*, greatest(held.full_at, now()) AS full_at FROM asked LEFT JOIN held USING (limit_name, key)
    ), verdict AS (
        SELECT bool_and(full_at + step <= now() + period) AS allowed FROM judged
    ), charged AS (
        INSERT INTO rate_limit_buckets AS b (limit_name, key, full_at)
        SELECT limit_name, key, now() + step FROM judged, verdict WHERE allowed ORDER BY limit_name, key
        ON CONFLICT (limit_name, key) DO UPDATE
        SET full_at = greatest(b.full_at, now()) + (excluded.full_at - now())
        WHERE greatest(b.full_at, now()) + (excluded.full_at - now()) <= (
            SELECT now() + period FROM asked WHERE asked.limit_name = b.limit_name AND asked.key = b.key
        )
        RETURNING limit_name, key
    ), swept AS (
        DELETE FROM rate_limit_buckets WHERE (limit_name, key) IN (
            SELECT limit_name, key FROM rate_limit_buckets
            WHERE full_at < now() AND (limit_name, key) NOT IN (SELECT limit_name, key FROM asked)
            ORDER BY full_at LIMIT 10 FOR UPDATE SKIP LOCKED
        )
    )
    SELECT CAST(extract(epoch FROM full_at - now()) AS float) AS reset_after, allowed,
           allowed AND (SELECT count(*) FROM charged) < (SELECT count(*) FROM asked) AS overtaken
    FROM judged, verdict ORDER BY number
    """
).bindparams(*_ASKED, bindparam("periods", type_=ARRAY(Double)), bindparam("rounding", ROUNDING, type_=Double))

_REFUND: Final = text(
    """
    UPDATE rate_limit_buckets b SET full_at = b.full_at - make_interval(secs => step)
    FROM unnest(:names, :keys, :steps) AS a (limit_name, key, step)
    WHERE b.limit_name = a.limit_name AND b.key = a.key
    """
).bindparams(*_ASKED)

_FULLEST: Final = text(
    """
    SELECT b.limit_name, b.key, CAST(extract(epoch FROM b.full_at - now()) AS float) AS reset_after
    FROM rate_limit_buckets b JOIN unnest(:names, :periods) AS a (limit_name, period) USING (limit_name)
    WHERE b.full_at > now()
    ORDER BY extract(epoch FROM b.full_at - now()) / a.period DESC LIMIT :count
    """
).bindparams(bindparam("names", type_=ARRAY(Text)), bindparam("periods", type_=ARRAY(Double)))


class BucketRepository:
    """Repository of buckets by limit and key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take(self, requests: Sequence[tuple[Limit, str]]) -> tuple[bool, Sequence[float]]:
        """Takes one token from each bucket (none named twice), or from none if any refuses.

        Returns whether all allowed it, and for each bucket the seconds until it would have been full before the call.
        Executes one statement, and a second one if other calls inserted a bucket that did not exist when it started.
        """
        values = {**_columns(requests), "periods": [limit.period for limit, _ in requests]}
        rows = await self._connection.rows(_TAKE, values)
        if rows[0]["overtaken"]:  # the row exists now, and will be locked
            rows = await self._connection.rows(_TAKE, values)
        charged = rows[0]["allowed"] and not rows[0]["overtaken"]
        return charged, [row["reset_after"] for row in rows]

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """Gives one token back to each bucket; a time before now means full, so none exceeds its size."""
        await self._connection.execute(_REFUND, _columns(requests))

    async def fullest(self, limits: Sequence[Limit], count: int) -> Iterator[tuple[str, str, float]]:
        """Returns the name of the limit, the key and the seconds until full of the fullest buckets."""
        values = {"names": [limit.name for limit in limits], "periods": [limit.period for limit in limits]}
        rows = await self._connection.rows(_FULLEST, {**values, "count": count})
        return ((row["limit_name"], row["key"], row["reset_after"]) for row in rows)


def _columns(requests: Sequence[tuple[Limit, str]]) -> dict[str, list[object]]:
    return {
        "names": [limit.name for limit, _ in requests],
        "keys": [key for _, key in requests],
        "steps": [limit.interval for limit, _ in requests],
    }
