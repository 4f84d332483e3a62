"""The resources that server and worker share: connections, clock, keys, the store of rate limits."""

from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from server.audit import head_keys
from server.audit.hash_chain import HeadKey
from server.audit.head_sinks import head_sink
from server.audit.seal_worker import HeadKeeper
from server.auth.tokens import key_file
from server.auth.tokens.keys import KeyRing
from server.clinical.services.qr_issuer import QrIssuer
from server.clinical.services.qr_pictures import QrPictures
from server.clock import Clock
from server.config.secrets import derived_key, stored_secret
from server.config.settings import ConfigurationWrong, Settings
from server.db import logins
from server.db.engine import APP_ROLE, SEALER_ROLE, connector, create_pool
from server.db.failure_log import FailureLog
from server.db.notifications import Channel, Notifications
from server.db.pool import Pool
from server.db.unit_of_work import UnitOfWork
from server.metrics import Metrics
from server.outbox.sealed_codes import CodeSeal
from server.qr.key_ring import QrKeyRing
from server.rate_limits.budgets import SHARED
from server.rate_limits.postgres_store import PostgresStore
from server.rate_limits.rate_limiter import RateLimiter
from server.rate_limits.routing_store import RoutingStore
from server.rate_limits.store import BucketStore, MemoryStore
from server.runtime.storage import schema
from server.runtime.work import unit_of_work

PICTURE_THREADS: Final = 1
LIMIT_CONNECTIONS: Final = 4
"""The connections for buckets in the database; a charge must survive the call's rollback, so it uses another one."""
HEALTH_CONNECTIONS: Final = 2
"""One for the health check and one for the watch of background work."""


@dataclass(frozen=True, slots=True)
class Core:
    """The resources that server and worker share."""

    settings: Settings
    clock: Clock
    work: UnitOfWork
    seal_work: UnitOfWork
    """One connection of the sealer's account, the only account that may add to the audit's hash chain."""
    health_work: UnitOfWork
    """New connections for the health check: a busy pool is no failed database, and a kept connection no working one."""
    ring: KeyRing
    """The keys of access tokens, and the root of every other key except those of QR codes."""
    notifications: Notifications
    issuer: QrIssuer
    pictures: QrPictures
    drawing: Executor
    """Threads for pictures and emails, whose CPU time must not block the event loop."""
    metrics: Metrics
    limiter: RateLimiter


@asynccontextmanager
async def core(settings: Settings, database_url: str, sealer_url: str | None = None) -> AsyncIterator[Core]:
    """Connects to the database, also as the sealer; without `sealer_url` the server's account seals.

    Raises SchemaOutdated, ConfigurationWrong for accounts that production refuses, and the driver's errors when there
    is no database.
    """
    sealer_url = sealer_url or database_url
    if settings.production:
        await _check_logins(database_url, sealer_url)
    if (fault := await schema.fault(database_url)) is not None:
        raise schema.SchemaOutdated(fault)
    pool = create_pool(database_url, pool_size=settings.db_pool_size)
    sealer = create_pool(sealer_url, pool_size=1, application="medconnect-sealer", role=SEALER_ROLE)
    health = Pool(connector(database_url, application="medconnect-health"), HEALTH_CONNECTIONS, keep_seconds=0)
    limits = create_pool(database_url, pool_size=LIMIT_CONNECTIONS, application="medconnect-limits")
    drawing = ThreadPoolExecutor(PICTURE_THREADS, "pictures")
    try:
        clock = Clock(zone=ZoneInfo(settings.hospital_time_zone))
        keys = QrKeyRing.parse(_secret(settings, "qr_encryption_key"))
        issuer = QrIssuer(keys, timedelta(days=settings.qr_valid_days))
        notifications = Notifications(connector(database_url, application="medconnect-notifications"))
        ring, metrics = _key_ring(settings), Metrics()
        for name, each in (("calls", pool), ("sealer", sealer), ("limits", limits)):
            metrics.measure_pool(name, each)
        failed = FailureLog(metrics, clock.monotonic).note
        work = unit_of_work(pool, partial(notifications.notify, Channel.MAIL), failed=failed)
        strict = PostgresStore(unit_of_work(limits, joins=False, failed=failed))
        async with notifications.running(), _bucket_store(settings, strict, clock, metrics) as store:
            pictures, limiter = QrPictures(drawing), RateLimiter(store, clock, metrics)
            yield Core(
                settings,
                clock,
                work,
                unit_of_work(sealer, failed=failed),
                unit_of_work(health, failed=failed),
                ring,
                notifications,
                issuer,
                pictures,
                drawing,
                metrics,
                limiter,
            )
    finally:
        drawing.shutdown(cancel_futures=True)
        await limits.close()
        await health.close()
        await sealer.close()
        await pool.close()


async def _check_logins(server: str, sealer: str) -> None:
    """Raises ConfigurationWrong for an account with more rights than its task needs."""
    accounts = {"DATABASE_URL": (server, APP_ROLE), "SEALER_DATABASE_URL": (sealer, SEALER_ROLE)}
    found = {name: await logins.faults(url, role) for name, (url, role) in accounts.items()}
    if excess := {name: f"its account {'; it '.join(faults)}" for name, faults in found.items() if faults}:
        raise ConfigurationWrong(excess)


@asynccontextmanager
async def _bucket_store(
    settings: Settings, strict: PostgresStore, clock: Clock, metrics: Metrics
) -> AsyncIterator[BucketStore]:
    memory, url = MemoryStore(), settings.rate_limit_redis_url
    if url is None:
        yield RoutingStore(strict, memory, SHARED, metrics)
        return
    # Imported only here: Redis's client takes 19 MiB and a tenth of the start, and most instances use no Redis.
    from server.rate_limits.fallback_store import FallbackStore
    from server.rate_limits.redis_store import RedisStore

    async with RedisStore.connected(url.get_secret_value()) as redis:
        yield RoutingStore(strict, FallbackStore(redis, memory, clock, metrics), SHARED, metrics)


def head_keeper(core: Core) -> HeadKeeper:
    """Returns the keeper that signs the audit's heads and writes them to the sink of AUDIT_HEADS.

    Heads from before the separate key were signed with a key derived from the root: its public half is published too,
    as long as the root is known.
    """
    home, now = core.settings.medconnect_home, core.clock.now()
    for root in (*core.ring.former_roots, core.ring.root):
        head_keys.publish(home, HeadKey(derived_key(root, "audit heads")), now)
    return HeadKeeper(head_keys.current_key(home, now), head_sink(core.settings.audit_heads, home), core.clock)


def code_seal(ring: KeyRing) -> CodeSeal:
    """Returns the seal of one-time codes in the outbox; the server encrypts with it, the worker decrypts."""
    return CodeSeal(derived_key(ring.root, "codes in the outbox"))


def _key_ring(settings: Settings) -> KeyRing:
    if settings.jwt_keys_file is not None:
        return key_file.read(settings.jwt_keys_file)
    former = settings.jwt_former_secret
    return KeyRing.derived(_secret(settings, "jwt_secret"), *([former.get_secret_value()] if former else []))


def _secret(settings: Settings, name: str) -> str:
    """Returns a configured secret, or in development a generated one that the instance keeps."""
    configured = getattr(settings, name)
    if configured is not None:
        return str(configured.get_secret_value())
    return stored_secret(settings.medconnect_home / "secrets", name)
