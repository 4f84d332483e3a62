"""Packs a release (`make release`): one archive with all that is installed, and checksums.

The same commit and tools give the same bytes again, so a release can be compared with its source.
"""

import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PROJECTS: Final = ("pyproject.toml", "generated/pyproject.toml", "clients/python/pyproject.toml")
BESIDE: Final = (".dockerignore", "CHANGELOG.md", "LICENSE", "deploy", "env.example", "requirements.lock")
"""The files and folders that are packed beside the wheels and the bill of materials."""
BILL: Final = "medconnect.cdx.json"
SUMS: Final = "SHA256SUMS"


class NotReleasable(Exception):
    """The commit is not a release; the text says what is missing."""


def version_of(root: Path) -> str:
    """Returns the version that the packages, the changelog and the commit's tag agree on. Raises NotReleasable."""
    versions = {tomllib.loads((root / name).read_text())["project"]["version"] for name in PROJECTS}
    if len(versions) > 1:
        raise NotReleasable(f"the packages have different versions: {', '.join(sorted(versions))}")
    version: str = versions.pop()
    if not re.search(rf"^## {re.escape(version)}( |$)", (root / "CHANGELOG.md").read_text(), re.MULTILINE):
        raise NotReleasable(f"CHANGELOG.md has no section `## {version}`")
    if f"v{version}" not in _git(root, "tag", "--points-at", "HEAD").split():
        raise NotReleasable(f"this commit does not have the tag v{version}")
    if _git(root, "status", "--porcelain"):
        raise NotReleasable("files differ from the commit")
    return version


def pack(root: Path, version: str) -> Path:
    """Packs the built wheels and what belongs to them into an archive in `dist`; writes the checksums; returns it."""
    dist, name = root / "dist", f"medconnect-{version}"
    built = [dist / file for file in (*_wheels(version), BILL)]
    beside = [root / file for file in _git(root, "ls-files", *BESIDE).splitlines()]
    moment = int(_git(root, "log", "-1", "--format=%ct"))
    archive = dist / f"{name}.tar.gz"
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,  # its header has no name and no time
        tarfile.open(fileobj=zipped, mode="w") as packed,
    ):
        for path in sorted((*built, *beside)):
            _add(packed, f"{name}/{path.relative_to(root)}", path.read_bytes(), moment)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (archive, *built)]
    (dist / SUMS).write_text("".join(lines))
    return archive


def _wheels(version: str) -> Iterator[str]:
    for package in ("medconnect", "medconnect_contracts", "medconnect_client"):
        yield f"{package}-{version}-py3-none-any.whl"


def _add(archive: tarfile.TarFile, name: str, content: bytes, moment: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), moment, 0o644
    archive.addfile(entry, io.BytesIO(content))


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Checks the commit, or packs what was built from it."""
    try:
        version = version_of(ROOT)
    except NotReleasable as problem:
        sys.exit(f"release: {problem}")
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(f"{pack(ROOT, version).relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
