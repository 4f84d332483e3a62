"""Buckets that processes share in Redis or Valkey; each operation is one script.

Times are those of the Redis server's clock. The value of a bucket's key is the time at which the bucket will be full
again; the key expires then.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError

from server.rate_limits.bucket import ROUNDING, Decision, Limit, decided
from server.rate_limits.store import Bucket, nearest_to_refusing

ANSWER_SECONDS: Final = 0.25
"""The timeout of waiting for a free connection, of connecting, and of each response."""
CONNECTIONS: Final = 20
MOST_LOOKED_AT: Final = 10_000
"""The maximum number of keys that `fullest` reads; if there are more, it can miss fuller ones."""

PREFIX: Final = "medconnect:limit:"

# KEYS: the buckets. ARGV: the rounding, then interval and size of each bucket. Numbers are returned as strings because
# Redis truncates them to integers. A bucket that would need twice its period to fill was charged while the clock was
# ahead, and counts as full.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local before, allowed = {}, true
for i, key in ipairs(KEYS) do
  local interval, tokens = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  before[i] = math.max(tonumber(redis.call('GET', key) or now) - now, 0)
  if before[i] > 2 * interval * tokens then before[i] = 0 end
  if before[i] / interval + 1 - tokens > tonumber(ARGV[1]) then allowed = false end
end
local answer = {allowed and 1 or 0}
for i, key in ipairs(KEYS) do
  local after = before[i] + tonumber(ARGV[2 * i])
  if allowed then
    redis.call('SET', key, string.format('%.6f', now + after), 'PX', math.ceil(after * 1000))
  end
  answer[i + 1] = string.format('%.6f', before[i])
end
return answer
"""

# KEYS: the buckets. ARGV: the interval of each bucket. A bucket whose key has expired is full.
_REFUND: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
for i, key in ipairs(KEYS) do
  local full_at = redis.call('GET', key)
  if full_at then
    local after = tonumber(full_at) - tonumber(ARGV[i])
    if after > now then
      redis.call('SET', key, string.format('%.6f', after), 'PX', math.ceil((after - now) * 1000))
    else
      redis.call('DEL', key)
    end
  end
end
"""

_REMAINING: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local answer = {}
for i, key in ipairs(KEYS) do
  answer[i] = string.format('%.6f', tonumber(redis.call('GET', key) or now) - now)
end
return answer
"""


class RedisAway(Exception):
    """Redis did not respond, or not in time."""


class RedisStore:
    """See BucketStore; every method raises RedisAway if the server does not respond."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._take = client.register_script(_TAKE)
        self._refund = client.register_script(_REFUND)
        self._remaining = client.register_script(_REMAINING)

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str) -> AsyncIterator["RedisStore"]:
        """Opens a store on the server of a `redis://`, `rediss://` or `unix://` URL; it connects at its first use."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        client = Redis(connection_pool=pool)
        try:
            yield cls(client)
        finally:
            await client.aclose()
            await pool.aclose()

    async def take(self, requests: Sequence[tuple[Limit, str]], now: float) -> list[Decision]:
        """See BucketStore. Runs one script."""
        if not requests:
            return []
        different = list(dict.fromkeys(requests))
        sizes = [number for limit, _ in different for number in (limit.interval, limit.tokens)]
        async with self._translate_errors():
            charged, *resets = await self._take(keys=_keys(different), args=[ROUNDING, *sizes])
        found = dict(zip(different, map(float, resets), strict=True))
        return decided([(limit, found[limit, key]) for limit, key in requests], charged=charged == 1)

    async def refund(self, requests: Sequence[tuple[Limit, str]]) -> None:
        """See BucketStore. Runs one script."""
        async with self._translate_errors():
            await self._refund(keys=_keys(requests), args=[limit.interval for limit, _ in requests])

    async def fullest(self, limits: Mapping[str, Limit], count: int, now: float) -> Sequence[Bucket]:
        """See BucketStore. Reads at most MOST_LOOKED_AT buckets."""
        async with self._translate_errors():
            names = [key for key in await self._some_keys() if _limit_of(key) in limits]
            resets = await self._remaining(keys=names) if names else []
        buckets = (
            Bucket(limits[_limit_of(name)], name.removeprefix(PREFIX).partition(":")[2], float(reset))
            for name, reset in zip(names, resets, strict=True)
        )
        return nearest_to_refusing((bucket for bucket in buckets if bucket.reset_after > 0), count)

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError, TimeoutError) as error:
            if isinstance(error, ReadOnlyError):  # the server became a replica; its name may point to another one
                await self._client.connection_pool.disconnect(inuse_connections=False)
            raise RedisAway from error

    async def _some_keys(self) -> Sequence[str]:
        found: list[str] = []
        async for key in self._client.scan_iter(f"{PREFIX}*", count=1000):
            found.append(key)
            if len(found) == MOST_LOOKED_AT:
                break
        return found


def _keys(requests: Sequence[tuple[Limit, str]]) -> list[str]:
    return [f"{PREFIX}{limit.name}:{key}" for limit, key in requests]


def _limit_of(key: str) -> str:
    return key.removeprefix(PREFIX).partition(":")[0]
