"""Databases with generated hospitals, which are kept and used again."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg

from benchmarks.hospital.facts import OPEN_DAYS, Facts, Size
from benchmarks.hospital.loading import Report, load, password_hash, quiet
from benchmarks.hospital.tables import CODE_SECONDS, Rows
from server.db.embedded.cluster import EmbeddedPostgres
from server.qr.key_ring import QrKeyRing
from server.runtime.storage import schema

QR_KEY: Final = "one key for all benchmarks so that a seed gives the same codes"
"""QR_ENCRYPTION_KEY of every generated hospital."""
SETTINGS: Final = {"max_wal_size": "8GB", "checkpoint_timeout": "15min"}
"""Settings of the PostgreSQL that holds generated hospitals: durable, with fewer checkpoints while it is filled."""

_USED_DAYS: Final = CODE_SECONDS // 86_400 - OPEN_DAYS
"""A database can be used for this many days, then its first QR codes expire."""


@dataclass(frozen=True, slots=True)
class Hospital:
    """A database with a generated hospital."""

    name: str
    url: str
    """For the owner of the database."""
    facts: Facts
    rows: Rows


async def hospital(postgres: EmbeddedPostgres, size: Size, seed: int, report: Report = quiet) -> Hospital:
    """Returns a database with this hospital: one that an earlier run left, or a new one."""
    name = f"hospital_{size.patients}_{size.prescriptions}_{seed}"
    url, keys, today = postgres.url(name), QrKeyRing.parse(QR_KEY), datetime.now(UTC).date()
    admin = await asyncpg.connect(postgres.url("postgres"))
    try:
        known = await admin.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name)
        day = await _day(url) if known else None
        if day is not None and today - day < timedelta(days=_USED_DAYS):
            facts = Facts(size, seed, day)
            return Hospital(name, url, facts, Rows(facts, keys, password_hash(seed)))
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
    finally:
        await admin.close()
    await schema.upgrade(url)
    return Hospital(name, url, *await load(url, size, keys, seed=seed, day=today, report=report))


async def _day(url: str) -> date | None:
    """Returns the day on which the data of a database ends; None if writing it was interrupted."""
    connection = await asyncpg.connect(url)
    try:
        complete = "SELECT obj_description('users'::regclass) = 'generated'"
        if not await connection.fetchval(complete):
            return None
        start = await connection.fetchval("SELECT min(created_at) FROM users")
        return Facts.day_after(start.date())
    finally:
        await connection.close()
