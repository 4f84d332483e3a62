"""Rebuilds generated/ from the .proto files (`make protos`), or checks that it is up to date (`--check`).

The first protoc call writes the messages, the second the typed gRPC stubs, the third the descriptor set that clients
and the edge's files are made from, the fourth one with comments, the source of the OpenAPI document.
google/** is never generated: googleapis-common-protos carries it, and two copies clash at import.
"""

import filecmp
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

from protos import edge_tables, rest_descriptors
from protos.openapi import document

PROTOS = Path(__file__).parent
GENERATED = PROTOS.parent / "generated"
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
"""Plugins in the interpreter's folder; protoc itself searches only PATH."""
KEPT = frozenset({"pyproject.toml", "README.md"})
"""The files in generated/ that are written by hand."""


def run_protoc(*arguments: str) -> None:
    """Runs protoc; its messages go to standard error, and a failure ends the program."""
    includes = (f"-I{PROTOS}", f"-I{resources.files('grpc_tools') / '_proto'}")
    plugins = (f"--plugin={name}={Path(sys.executable).parent / name}" for name in PLUGINS)
    if protoc.main(["protoc", *includes, *plugins, *arguments]) != 0:
        sys.exit("protoc failed")


def generate(out: Path) -> None:
    """Writes all generated files below `out`."""
    own = sorted(map(str, PROTOS.glob("medconnect/**/*.proto")))
    services = [path for path in own if path.endswith("_service.proto")]
    messages = [str(PROTOS / "buf/validate/validate.proto"), *own]
    run_protoc(f"--python_out={out}", f"--mypy_out=quiet:{out}", *messages)
    run_protoc(f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}", *services)
    # The edge needs every type that a response may contain, error details included: an unknown type empties the body.
    error_details = str(PROTOS / "google/rpc/error_details.proto")
    run_protoc(f"--descriptor_set_out={out / 'descriptors.binpb'}", "--include_imports", *own, error_details)
    for directory in {path.parent for path in out.rglob("*_pb2.py")}:
        (directory / "py.typed").touch()
    edge_tables.main(out)
    rest_descriptors.main(out)
    document.main(out, commented_descriptors())


def commented_descriptors() -> bytes:
    """Returns the descriptor set of all own protos with their comments, which Envoy does not need."""
    own = map(str, PROTOS.glob("medconnect/**/*.proto"))
    with tempfile.NamedTemporaryFile() as file:
        run_protoc(f"--descriptor_set_out={file.name}", "--include_imports", "--include_source_info", *sorted(own))
        return file.read()


def files(folder: Path) -> set[Path]:
    """Returns the generated files below a folder, relative to it."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in found if path.name not in KEPT and "__pycache__" not in path.parts}


def differences(new: Path) -> Iterator[Path]:
    """Yields the files that generated/ lacks, has in excess, or has with other content than `new`."""
    yield from sorted(files(new) ^ files(GENERATED))
    for path in sorted(files(new) & files(GENERATED)):
        if not filecmp.cmp(new / path, GENERATED / path, shallow=False):
            yield path


def main() -> None:
    """Rebuilds generated/, or with `--check` exits with an error if a rebuild would change anything."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder)
        generate(new)
        if "--check" in sys.argv[1:]:
            if changed := list(differences(new)):
                sys.exit(f"generated/ does not match the protos; run `make protos`: {', '.join(map(str, changed))}")
            return
        for path in files(GENERATED):
            (GENERATED / path).unlink()
        shutil.copytree(new, GENERATED, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
