"""A release is packed of one tagged commit, holds all that is installed, and can be built again."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from deploy.release import BESIDE, PROJECTS, ROOT, SUMS, NotReleasable, pack, version_of

WHEELS = [f"{name}-1.2.3-py3-none-any.whl" for name in ("medconnect", "medconnect_contracts", "medconnect_client")]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Returns a small clone with a tagged release and what was built from it."""
    for name in PROJECTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('[project]\nversion = "1.2.3"\n')
    for name in BESIDE:
        if name != "deploy":
            (tmp_path / name).write_text(name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 1.2.3 (2026-12-01)\n")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".gitignore").write_text("dist/\ndeploy/secrets/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "A release.")
    git(tmp_path, "tag", "v1.2.3")
    (tmp_path / "deploy/secrets").mkdir()
    (tmp_path / "deploy/secrets/jwt_secret").write_text("not for others")
    (tmp_path / "dist").mkdir()
    for name in (*WHEELS, "medconnect.cdx.json"):
        (tmp_path / "dist" / name).write_text(name)
    return tmp_path


def test_release_holds_what_is_installed_and_no_secret(clone: Path) -> None:
    archive = pack(clone, version_of(clone))
    with tarfile.open(archive) as packed:
        names = {name.removeprefix("medconnect-1.2.3/") for name in packed.getnames()}
    beside = {*BESIDE} - {"deploy"} | {"deploy/Dockerfile"}
    assert names == {f"dist/{name}" for name in (*WHEELS, "medconnect.cdx.json")} | beside


def test_release_can_be_packed_again_and_has_true_sums(clone: Path) -> None:
    archive = pack(clone, "1.2.3")
    first = hashlib.sha256(archive.read_bytes()).hexdigest()
    (clone / "deploy/Dockerfile").touch()
    assert hashlib.sha256(pack(clone, "1.2.3").read_bytes()).hexdigest() == first
    told = subprocess.run(
        ["sha256sum", "--check", SUMS], cwd=clone / "dist", capture_output=True, text=True, check=True
    )
    assert told.stdout.count(": OK\n") == 5


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("clients/python/pyproject.toml", '[project]\nversion = "1.2.2"\n', "different versions: 1.2.2, 1.2.3"),
        ("CHANGELOG.md", "## Unreleased\n", "no section `## 1.2.3`"),
        ("LICENSE", "another", "files differ"),
    ],
)
def test_what_is_no_release_is_not_packed(clone: Path, file: str, content: str, fault: str) -> None:
    (clone / file).write_text(content)
    with pytest.raises(NotReleasable, match=fault):
        version_of(clone)


def test_commit_without_its_tag_is_not_packed(clone: Path) -> None:
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "Another commit.")
    with pytest.raises(NotReleasable, match=r"the tag v1\.2\.3"):
        version_of(clone)


def test_packages_have_one_version_and_what_is_packed_exists() -> None:
    versions = {(ROOT / name).read_text().partition("\nversion = ")[2].partition("\n")[0] for name in PROJECTS}
    assert len(versions) == 1
    assert all((ROOT / name).exists() for name in BESIDE)
