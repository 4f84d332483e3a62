"""`medconnect backup` and `medconnect restore`: for the embedded database."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from server.config.settings import Settings
from server.db.embedded import base_backup, restore
from server.db.embedded.restore import RestoreRefused
from server.runtime import instance

console: Final = Console(highlight=False, emoji=False, soft_wrap=True)

Keep = Annotated[int, typer.Option(min=1, help="how many base backups to keep, with the WAL behind the oldest")]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"], help="restore what was committed before (UTC)"),
]
Verify = Annotated[bool, typer.Option("--verify", help="then prove the audit's hash chain, as `audit verify` does")]

NOT_INCLUDED: Final = (
    "Not in it, and needed with it: QR_ENCRYPTION_KEY, JWT_SECRET or JWT_KEYS_FILE, the TLS key, and the folders "
    "`secrets` and `audit` of MEDCONNECT_HOME."
)


async def take(settings: Settings, keep: int) -> None:
    """Makes a base backup in BACKUP_FOLDER. Raises RestoreRefused, BackupFailed and OSError."""
    folder = _folder(settings)
    async with instance.database(settings) as urls:
        backup = await base_backup.take(urls.owner, settings.medconnect_home / "postgres", folder, keep)
    console.print(f"{backup.folder} is complete and verified.", markup=False)
    console.print(NOT_INCLUDED)


async def put_back(settings: Settings, until: datetime | None) -> None:
    """Restores the database from BACKUP_FOLDER. Raises RestoreRefused, BackupFailed and OSError."""
    moment = until.replace(tzinfo=UTC) if until is not None and until.tzinfo is None else until
    restored = await restore.restore(settings.medconnect_home / "postgres", _folder(settings), moment)
    console.print(f"Restored {restored.base.folder} and the WAL behind it.", markup=False)
    console.print(f"The last transaction from WAL was committed at {restored.last_commit or '(none)'}.", markup=False)


def _folder(settings: Settings) -> Path:
    if settings.external_database is not None:
        raise RestoreRefused("DATABASE_URL names a PostgreSQL of your own: back it up with its own tools (pgBackRest)")
    if settings.backup_folder is None:
        raise RestoreRefused("set BACKUP_FOLDER, a folder on another disk")
    return settings.backup_folder.absolute()
