"""S93 to S95: a new operator follows docs/operations/deploy.md, with a database of its own or the embedded one."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from server.cli.commands import EXIT_CONFIG
from server.db.embedded.cluster import EmbeddedPostgres
from tests.fixtures.database import as_owner
from tests.fixtures.process import process_up
from tests.fixtures.proofs import control

ROOT = Path(__file__).parents[2]
SECRETS = {
    "JWT_SECRET": "kTz3!qLw9_Vb7@Xe2#Rn5$Ym8%Pc1^Gd4",
    "QR_ENCRYPTION_KEY": "Hs6&Jf0*Ua-Wi=Ov+Dk(Zx)Nm[Bq]{Ct}",
    "ADMIN_PASSWORD": "a-long-phrase-of-ours-7",
}
PRODUCTION = {
    "MEDCONNECT_ENV": "production",
    "RATE_LIMIT_FACTOR": "1",
    "SMTP_HOST": "mail.example.org",
    "FRONTEND_URL": "https://clinic.example.org",
    "CORS_ORIGINS": "https://clinic.example.org",
    "LOG_LEVEL": "info",
    **SECRETS,
}


@pytest.fixture
def home() -> Iterator[Path]:
    """Returns a short path that the database's account may enter."""
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def medconnect(home: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "server", *command],
        cwd=ROOT,
        env={**os.environ, "MEDCONNECT_HOME": str(home), **PRODUCTION, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class External:
    """A database on a foreign server: its owner may create roles and databases, and is no superuser."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._admin = server.url("postgres")
        self.name = f"n{uuid4().hex[:10]}"
        self.owner = self.url(f"{self.name}_owner")

    def url(self, account: str) -> str:
        place = self._admin.partition("@")[2].replace("/postgres?", f"/{self.name}?")
        return f"postgresql://{account}:jH5kPq2w@{place}"

    async def make(self) -> None:
        await as_owner(
            self._admin,
            f"CREATE ROLE {self.name}_owner LOGIN CREATEROLE PASSWORD 'jH5kPq2w'",
            f"CREATE DATABASE {self.name} OWNER {self.name}_owner",
        )
        await as_owner(self._admin, f"GRANT medconnect_app, medconnect_sealer TO {self.name}_owner WITH ADMIN OPTION")

    async def accounts(self) -> None:
        """Migrates as the owner, as docs/operations/deploy.md describes."""
        clinic, sealer = f"{self.name}_clinic", f"{self.name}_sealer"
        await as_owner(
            self.owner,
            f"CREATE ROLE {clinic} LOGIN PASSWORD 'jH5kPq2w'; GRANT medconnect_app TO {clinic}",
            f"CREATE ROLE {sealer} LOGIN PASSWORD 'jH5kPq2w'; GRANT medconnect_sealer TO {sealer}",
        )

    async def drop(self) -> None:
        await as_owner(self._admin, f"DROP DATABASE {self.name} WITH (FORCE)")
        for role in ("clinic", "sealer", "owner"):
            await as_owner(self._admin, f"DROP ROLE IF EXISTS {self.name}_{role}")


@pytest.fixture
async def external(postgres: EmbeddedPostgres) -> AsyncIterator[External]:
    database = External(postgres)
    await database.make()
    yield database
    await database.drop()


async def sessions(url: str) -> Mapping[str, set[str]]:
    """Returns the accounts that have lasting sessions, by the name of their application; a health check's is short."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT application_name, usename FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'medconnect%'"
            " AND application_name <> 'medconnect-health'"
        )
    finally:
        await connection.close()
    found: dict[str, set[str]] = {}
    for application, account in rows:
        found.setdefault(application, set()).add(account)
    return found


async def sealed(home: Path) -> str:
    """Returns the first head that covers a record."""
    heads = home / "audit" / "heads.log"
    async with asyncio.timeout(30):
        while not heads.exists() or '"position": 0' in heads.read_text().splitlines()[-1]:
            await asyncio.sleep(0.2)
    return heads.read_text()


@control("S94")
async def test_up_in_production_on_an_external_database(
    external: External, postgres: EmbeddedPostgres, home: Path
) -> None:
    migrated = await asyncio.to_thread(medconnect, home, "migrate", MIGRATION_DATABASE_URL=external.owner)
    assert migrated.returncode == 0, migrated.stderr
    assert not (home / "postgres").exists()  # no embedded database runs as well
    await external.accounts()
    clinic, sealer = external.url(f"{external.name}_clinic"), external.url(f"{external.name}_sealer")

    refused = await asyncio.to_thread(medconnect, home, "up", DATABASE_URL=external.owner, SEALER_DATABASE_URL=sealer)
    assert (refused.returncode, refused.stderr.split(":")[0]) == (EXIT_CONFIG, "DATABASE_URL"), refused.stderr
    same = await asyncio.to_thread(medconnect, home, "up", DATABASE_URL=clinic, SEALER_DATABASE_URL=clinic)
    assert (same.returncode, same.stderr.split(":")[0]) == (EXIT_CONFIG, "SEALER_DATABASE_URL"), same.stderr
    absent = await asyncio.to_thread(medconnect, home, "up", DATABASE_URL=clinic)
    assert (absent.returncode, absent.stderr.split(":")[0]) == (EXIT_CONFIG, "SEALER_DATABASE_URL"), absent.stderr
    assert "jH5kPq2w" not in refused.stderr + same.stderr + absent.stderr

    def run() -> tuple[Mapping[str, set[str]], str]:
        with process_up(clinic, home, **PRODUCTION, SEALER_DATABASE_URL=sealer):
            return asyncio.run(sessions(postgres.url(external.name))), asyncio.run(sealed(home))

    found, _ = await asyncio.to_thread(run)
    assert {name: {account.rpartition("_")[2] for account in accounts} for name, accounts in found.items()} == {
        "medconnect": {"clinic"},
        "medconnect-notifications": {"clinic"},
        "medconnect-sealer": {"sealer"},
    }
    verified = await asyncio.to_thread(
        medconnect, home, "audit", "verify", DATABASE_URL=clinic, SEALER_DATABASE_URL=sealer
    )
    assert verified.returncode == 0, verified.stderr
    assert "0 of them follow the last kept head." in verified.stdout


@control("S94")
async def test_up_in_production_on_the_embedded_database(home: Path) -> None:
    def run() -> tuple[Mapping[str, set[str]], str]:
        with process_up("", home, **PRODUCTION):
            owner = (home / "run" / "database_url").read_text()
            return asyncio.run(sessions(owner)), asyncio.run(sealed(home))

    found, _ = await asyncio.to_thread(run)
    assert found == {
        "medconnect": {"medconnect_server"},
        "medconnect-notifications": {"medconnect_server"},
        "medconnect-sealer": {"medconnect_seal_worker"},
    }
    verified = await asyncio.to_thread(medconnect, home, "audit", "verify")
    assert verified.returncode == 0, verified.stderr
