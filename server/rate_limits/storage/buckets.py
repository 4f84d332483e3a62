"""The buckets in the database, through one connection. Its clock judges, so that all processes agree."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Double, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from server.rate_limits.bucket import ROUNDING, Limit

_ASKED: Final = (
    bindparam("names", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(Text)),
    bindparam("steps", type_=ARRAY(Double)),
)

# The buckets that exist are locked first, in one order, and read as they stand then. Those that do not are full, unless
# another call makes one meanwhile: then `charged` judges that one again by itself, and lacks it when it is empty.
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
    """Buckets by limit and key."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, requests: Sequence[tuple[Limit, str]]) -> tuple[bool, Sequence[float]]:
        """Take one token out of each bucket (none named twice), or out of none when any refuses.

        Answers whether all allowed it, and for each bucket the seconds until it would have been full before. Made of
        one statement, and a second one if other calls filled a bucket that did not exist when it began.
        """
        values = {**_columns(requests), "periods": [limit.period for limit, _ in requests]}
        rows = (await self._connection.execute(_TAKE, values)).all()
        if rows[0].overtaken:  # the row is there now, and will be locked
            rows = (await self._connection.execute(_TAKE, values)).all()
        charged = rows[0].allowed and not rows[0].overtaken
        return charged, [row.reset_after for row in rows]

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """Give one token back to each bucket; what lies before now is full, so none ever holds more than its size."""
        await self._connection.execute(_REFUND, _columns(requests))

    async def fullest(self, limits: Sequence[Limit], count: int) -> Iterator[tuple[str, str, float]]:
        """Name of the limit, key and seconds until it is full, of the buckets that are nearest to refusing."""
        values = {"names": [limit.name for limit in limits], "periods": [limit.period for limit in limits]}
        rows = await self._connection.execute(_FULLEST, {**values, "count": count})
        return ((row.limit_name, row.key, row.reset_after) for row in rows)


def _columns(requests: Sequence[tuple[Limit, str]]) -> dict[str, list[object]]:
    return {
        "names": [limit.name for limit, _ in requests],
        "keys": [key for _, key in requests],
        "steps": [limit.interval for limit, _ in requests],
    }
