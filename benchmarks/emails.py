"""The email worker: emails claimed and recorded per second, and emails really sent, with their CPU time.

`python -m benchmarks.emails` prints the table; `measure` and `table` serve the whole report.
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

import asyncpg

from benchmarks import whole
from benchmarks.processes import running
from benchmarks.smtp_sink import smtp_sink
from server import logs
from server.clinical.entities import NewPrescription, NewPrescriptionItem
from server.clinical.storage.patients import PatientRepository
from server.config.settings import Settings, read_settings
from server.db.embedded import cluster
from server.identity import Caller, Role
from server.mailer.delivery import Delivery
from server.mailer.entities import ClaimedEmail
from server.mailer.message import OutgoingEmail
from server.mailer.worker import EmailWorker
from server.runtime import example_hospital
from server.runtime import server as app
from server.runtime.storage import schema

LEAST_JOBS: Final = 1000
"""Target: emails that one worker claims and records per second when sending costs nothing."""
LEAST_EMAILS: Final = 400
"""Target: prescription emails with a QR picture that one core can send per second, by the worker's CPU time."""
PATIENCE_SECONDS: Final = 60.0
AT_ONCE: Final = 8
"""Prescriptions that are created concurrently."""
ITEMS: Final = (
    NewPrescriptionItem("Doxycycline", "100 mg", "twice a day", Decimal(20), "Take with water.", "oral", 10),
    NewPrescriptionItem("Paracetamol", "500 mg", "when needed", Decimal(30), "At most eight a day.", "oral", 10),
    NewPrescriptionItem("Xylometazoline spray", "0.1 %", "three times a day", Decimal(1), "", "nasal", 7),
)
_PARK: Final = """
    UPDATE emails SET state = 'pending', due_at = now() + interval '1 day', finished_at = NULL, attempts = 0
"""
_START: Final = "UPDATE emails SET due_at = now() WHERE state = 'pending'"
_LEFT: Final = "SELECT count(*) FROM emails WHERE state <> 'completed'"
_SECONDS: Final = "SELECT CAST(extract(epoch FROM max(finished_at) - min(finished_at)) AS float) FROM emails"


@dataclass(frozen=True, slots=True)
class SendingRound:
    """One emptying of the queue by a worker that has just started."""

    rate: float
    """Emails per second, from the first record of an outcome to the last."""
    cpu: float
    """CPU milliseconds of the worker's process per email."""


@dataclass(frozen=True, slots=True)
class EmailFigures:
    """The rounds of a worker whose mailer does nothing, and of the real one."""

    jobs: Sequence[SendingRound]
    emails: Sequence[SendingRound]


async def measure(jobs: int = 4000, emails: int = 600, rounds: int = 3) -> EmailFigures:
    """Returns the rounds with this many emails each, measured on a database of their own."""
    async with _database() as (home, url):
        settings = _settings(home)
        await _fill(settings, url, emails)
        async with asyncpg.create_pool(url, min_size=1) as database, running({"sink": (smtp_sink,)}) as sinks:
            sending = settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": sinks["sink"].port})
            sent = [await _round(database, (whole.worker, sending, url), emails) for _ in range(rounds)]
            await _multiply(database, jobs)
            done = [await _round(database, (idle_worker, settings, url), jobs) for _ in range(rounds)]
    return EmailFigures(done, sent)


def table(figures: EmailFigures) -> str:
    """Returns the figures and their targets as Markdown."""
    jobs = median(one.rate for one in figures.jobs)
    rate, cpu = median(one.rate for one in figures.emails), median(one.cpu for one in figures.emails)
    rows = (
        ("claimed and recorded, mailer does nothing", f"{jobs:,.0f}/s", f"≥ {LEAST_JOBS:,}/s", jobs >= LEAST_JOBS),
        ("CPU of that", f"{median(one.cpu for one in figures.jobs):.2f} ms", "", None),
        ("sent with a QR picture by SMTP", f"{rate:,.0f}/s", "", None),
        ("CPU of that", f"{cpu:.2f} ms", "", None),
        ("sent per second of CPU", f"{1000 / cpu:,.0f}", f"≥ {LEAST_EMAILS}", 1000 / cpu >= LEAST_EMAILS),
    )
    lines = ["| emails, one worker | measured | target | |", "| --- | --- | --- | --- |"]
    for name, figure, target, met in rows:
        lines.append(f"| {name} | {figure} | {target} | {'' if met is None else 'met' if met else '**not met**'} |")
    return "\n".join(lines)


@asynccontextmanager
async def idle_worker(settings: Settings, database_url: str) -> AsyncIterator[int]:
    """Runs a worker that composes and sends nothing, so that only claims and records remain; yields port 0."""
    logs.configure("warning")
    async with app.core(settings, database_url) as core:
        worker = EmailWorker(core.work, Delivery(_compose_nothing, _Nowhere(), max_attempts=3), lambda: None)
        async with worker.running():
            yield 0


async def _compose_nothing(mails: Sequence[ClaimedEmail]) -> Mapping[UUID, OutgoingEmail | Exception]:
    return {mail.id: OutgoingEmail("a@example.org", mail.recipient, b"") for mail in mails}


class _Nowhere:
    """Discards every email."""

    async def send(self, email: OutgoingEmail) -> None:
        """Does nothing at all."""

    async def check(self) -> None:
        """Does nothing at all."""

    async def close(self) -> None:
        """Does nothing at all."""


@asynccontextmanager
async def _database() -> AsyncIterator[tuple[Path, str]]:
    """Yields an instance's folder and the URL of its migrated PostgreSQL, with PostgreSQL's default durability."""
    with tempfile.TemporaryDirectory(prefix="medconnect-emails-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # the database's account has to reach its folder
        async with cluster.running(home / "postgres") as postgres:
            await schema.upgrade(postgres.url())
            yield home, postgres.url()


def _settings(home: Path) -> Settings:
    return read_settings(
        _env_file=None,
        medconnect_home=home,
        grpc_address="127.0.0.1:0",
        jwt_secret=secrets.token_urlsafe(32),
        qr_encryption_key=secrets.token_urlsafe(32),
        smtp_security="none",
    )


async def _fill(settings: Settings, url: str, count: int) -> None:
    """Creates prescriptions, each with its email in the queue, and removes all other emails."""
    async with app.core(settings, url) as core:
        with app.use_cases(core) as services:
            people = {person.role: person for person in await example_hospital.load(services)}
            doctor, patient = [
                (await services.sessions.login(people[role].email, people[role].password)).user
                for role in (Role.DOCTOR, Role.PATIENT)
            ]
            async with core.work.read() as tx:
                patient_id = (await tx[PatientRepository].by_user(patient.id)).id
            writer = Caller(doctor.id, Role.DOCTOR, example_hospital.SESSION)
            new = NewPrescription(patient_id, None, "Acute sinusitis", "Review in ten days.", ITEMS)
            for first in range(0, count, AT_ONCE):
                some = range(first, min(first + AT_ONCE, count))
                await asyncio.gather(*(services.prescriptions.create(writer, new) for _ in some))
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM emails WHERE kind <> 'prescription'")
    await connection.close()


async def _multiply(database: asyncpg.Pool, count: int) -> None:
    """Replaces the emails by others to the same recipient, about no prescription."""
    await database.execute(
        """
        WITH gone AS (DELETE FROM emails RETURNING recipient_id, recipient)
        INSERT INTO emails (id, kind, recipient_id, recipient)
        SELECT gen_random_uuid(), 'welcome', one.recipient_id, one.recipient
        FROM (SELECT * FROM gone LIMIT 1) AS one, generate_series(1, $1)
        """,
        count,
    )


async def _round(database: asyncpg.Pool, worker: Sequence[object], count: int) -> SendingRound:
    """Starts the worker in a process of its own, then makes all emails due and waits until they are recorded."""
    await database.execute(_PARK)
    async with running({"worker": worker}) as processes:
        process = processes["worker"]
        await asyncio.sleep(0.5)
        before = process.cpu_seconds()
        await database.execute(_START)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await database.fetchval(_LEFT):  # noqa: ASYNC110 - other processes change it
                await asyncio.sleep(0.1)
        used = process.cpu_seconds() - before
        return SendingRound(count / await database.fetchval(_SECONDS), used / count * 1000)


if __name__ == "__main__":
    logs.configure("warning")
    print(table(asyncio.run(measure())))
