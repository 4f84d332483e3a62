"""The parts of the service: pinned by hash, the same everywhere, and listed."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clients.sbom import CLIENTS, VENDORED, FileChanged, vendored_components
from server.edge.sites import API_DOCS
from tests.fixtures.proofs import control

ROOT: Final = Path(__file__).parents[2]
RUNTIME: Final = "requirements.lock"
DEVELOPMENT: Final = "requirements-dev.lock"
CONTRACTS: Final = "medconnect-contracts"
"""Built from this tree."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A line of a lock."""

    requirement: Requirement
    hashes: frozenset[str]
    asked_for_by: frozenset[str]

    @property
    def version(self) -> str:
        """Returns the allowed version."""
        [specifier] = self.requirement.specifier
        assert specifier.operator == "=="
        return specifier.version


def pins(lock: str) -> dict[str, Pin]:
    """Returns the pins of a lock by name; every line must belong to one."""
    found: dict[str, Pin] = {}
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text().partition("\n# The following")[0])
    for block in blocks:
        head, *rest = block.splitlines()
        hashes = frozenset(line.strip(" \\").removeprefix("--hash=sha256:") for line in rest if "--hash=" in line)
        comments = [line.strip(" #").removeprefix("via").strip() for line in rest if "--hash=" not in line]
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes)
        requirement = Requirement(head.removesuffix("\\").strip())
        found[canonicalize_name(requirement.name)] = Pin(requirement, hashes, frozenset(filter(None, comments)))
    return found


def declared(*groups: str) -> dict[str, Requirement]:
    """Returns the names of the requirements in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *(one for group in groups for one in project["dependency-groups"][group]),
    ]
    requirements = {canonicalize_name(Requirement(one).name): Requirement(one) for one in asked}
    return {name: requirement for name, requirement in requirements.items() if name != CONTRACTS}


LOCKS: Final = pytest.mark.parametrize(("lock", "groups"), [(RUNTIME, ()), (DEVELOPMENT, ("dev",))])


@control("S79")
@LOCKS
def test_every_pin_carries_hashes_and_no_lock_names_a_host(lock: str, groups: tuple[str, ...]) -> None:
    found = pins(lock)
    assert len(found) > 40
    assert not [name for name, pin in found.items() if not pin.hashes or pin.requirement.url]
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", (ROOT / lock).read_text())


@control("S79")
@LOCKS
def test_lock_holds_exactly_the_pyproject_requirements(lock: str, groups: tuple[str, ...]) -> None:
    asked, found = declared(*groups), pins(lock)
    chosen = {name for name, pin in found.items() if any("pyproject.toml" in by for by in pin.asked_for_by)}
    assert chosen == asked.keys()
    assert not [
        name for name, one in asked.items() if not one.specifier.contains(found[name].version, prereleases=True)
    ]


@control("S79")
def test_tests_run_with_what_is_served() -> None:
    development = pins(DEVELOPMENT)
    assert {name: pin.version for name, pin in pins(RUNTIME).items()}.items() <= {
        name: pin.version for name, pin in development.items()
    }.items()
    applicable = [pin for pin in development.values() if not (marker := pin.requirement.marker) or marker.evaluate()]
    assert [pin.requirement.name for pin in applicable if version(pin.requirement.name) != pin.version] == []


@control("S79")
def test_whatever_installs_demands_the_hashes() -> None:
    installing = re.findall(r"(?:pip sync|pip install) .*?requirements\S*", (ROOT / "Makefile").read_text())
    assert len(installing) == 2
    assert all("--require-hashes" in command for command in installing)


@control("S79")
def test_the_bill_lists_the_lock_and_vendored_files(tmp_path: Path) -> None:
    bill = tmp_path / "medconnect.cdx.json"
    subprocess.run([sys.executable, "-m", "clients.sbom", str(bill)], cwd=ROOT, check=True, timeout=120)
    written = json.loads(bill.read_text())
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.from_version(written["specVersion"]))
    assert validator.validate_str(bill.read_text()) is None
    python = [one for one in written["components"] if one["purl"].startswith("pkg:pypi/")]
    assert {canonicalize_name(one["name"]): (one["version"], digests(one)) for one in python} == {
        name: (pin.version, pin.hashes) for name, pin in pins(RUNTIME).items()
    }
    npm = {one["name"]: one for one in written["components"] if one not in python}
    assert {(name, one["version"], one["licenses"][0]["expression"]) for name, one in npm.items()} == {
        ("lit-html", "3.3.3", "BSD-3-Clause"),
        ("qr", "0.7.0", "MIT OR Apache-2.0"),
        ("swagger-ui-dist", "5.35.0", "Apache-2.0"),
    }
    listed = {file["name"]: file["hashes"][0]["content"] for one in npm.values() for file in one["components"]}
    assert listed == {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in foreign_files()}


def foreign_files() -> set[str]:
    """Returns the third-party files that browsers receive."""
    vendored = (ROOT / "clients" / "web" / "vendor").rglob("*.js")
    shown = (path for path in API_DOCS.iterdir() if path.suffix in (".css", ".js", ".png") and path.name != "init.js")
    return {str(path.relative_to(ROOT)) for path in (*vendored, *shown)}


@control("S79")
def test_a_vendored_file_that_was_changed_is_not_listed(tmp_path: Path) -> None:
    for package in json.loads(VENDORED.read_text()):
        shutil.copytree(CLIENTS / package["folder"], tmp_path / package["folder"])
    shutil.copy(VENDORED, tmp_path)
    assert len(vendored_components(tmp_path)) == 3
    with (tmp_path / "web/vendor/qr/index.js").open("a") as script:
        script.write("fetch('https://elsewhere.example')")
    with pytest.raises(FileChanged, match=r"qr/index\.js"):
        vendored_components(tmp_path)


def digests(component: Any) -> frozenset[str]:
    """Returns the hashes that a component of the bill of materials names."""
    references = component["externalReferences"]
    return frozenset(one["content"] for reference in references for one in reference.get("hashes", ()))
