"""Writes the bill of materials (CycloneDX, `make sbom`): the locked packages and the npm packages in `clients`.

`vendored.json` lists the files that are copied from npm packages, unchanged, with their SHA-256.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

CLIENTS: Final = Path(__file__).parent
ROOT: Final = CLIENTS.parent
VENDORED: Final = CLIENTS / "vendored.json"
LOCK: Final = "requirements.lock"


class FileChanged(Exception):
    """A vendored file differs from the published one; the message is its path."""


def write(bill: Path) -> None:
    """Writes the bill of materials to a file. Raises FileChanged."""
    options = ["--output-reproducible", "--pyproject", "pyproject.toml", "-o", str(bill.absolute()), LOCK]
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", *options]
    subprocess.run(command, cwd=ROOT, check=True)
    content = json.loads(bill.read_text())
    components = vendored_components()
    content["components"] += components
    content["dependencies"] += [{"ref": component["bom-ref"]} for component in components]
    bill.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def vendored_components(clients: Path = CLIENTS) -> list[dict[str, Any]]:
    """Returns a CycloneDX component for each vendored npm package. Raises FileChanged."""
    return [_component(package, clients) for package in json.loads((clients / VENDORED.name).read_text())]


def _component(package: dict[str, Any], clients: Path) -> dict[str, Any]:
    purl = f"pkg:npm/{package['name']}@{package['version']}"
    folder = clients / package["folder"]
    return {
        "type": "library",
        "bom-ref": purl,
        "purl": purl,
        "name": package["name"],
        "version": package["version"],
        "licenses": [{"expression": package["license"], "acknowledgement": "declared"}],
        "components": [_file(folder / name, digest, clients) for name, digest in package["files"].items()],
    }


def _file(path: Path, digest: str, clients: Path) -> dict[str, Any]:
    name = str(path.relative_to(clients.parent))
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise FileChanged(name)
    return {"type": "file", "bom-ref": name, "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
