"""Rebuild everything in generated/ from the .proto files (`make protos`), or see whether it is up to date (`--check`).

One protoc call makes the messages, another the typed gRPC stubs, a third the descriptor set that Envoy reads, a fourth
one with the comments, of which the OpenAPI document is made.
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

from protos import edge_tables
from protos.openapi import document

PROTOS = Path(__file__).parent
GENERATED = PROTOS.parent / "generated"
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
"""Installed beside the interpreter; protoc itself looks for them in PATH only."""
KEPT = frozenset({"pyproject.toml", "README.md"})
"""What in generated/ is written by hand."""


def run_protoc(*arguments: str) -> None:
    """Run protoc on the arguments; its complaints go to standard error, a failure ends the program."""
    includes = (f"-I{PROTOS}", f"-I{resources.files('grpc_tools') / '_proto'}")
    plugins = (f"--plugin={name}={Path(sys.executable).parent / name}" for name in PLUGINS)
    if protoc.main(["protoc", *includes, *plugins, *arguments]) != 0:
        sys.exit("protoc failed")


def generate(out: Path) -> None:
    """Write everything that is generated below `out`."""
    own = sorted(map(str, PROTOS.glob("medconnect/**/*.proto")))
    services = [path for path in own if path.endswith("_service.proto")]
    messages = [str(PROTOS / "buf/validate/validate.proto"), *own]
    run_protoc(f"--python_out={out}", f"--mypy_out=quiet:{out}", *messages)
    run_protoc(f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}", *services)
    # The edge needs every type that an answer may hold, the error details among them: an unknown one empties the body.
    error_details = str(PROTOS / "google/rpc/error_details.proto")
    run_protoc(f"--descriptor_set_out={out / 'descriptors.binpb'}", "--include_imports", *own, error_details)
    for directory in {path.parent for path in out.rglob("*_pb2.py")}:
        (directory / "py.typed").touch()
    edge_tables.main(out)
    document.main(out, commented_descriptors())


def commented_descriptors() -> bytes:
    """Return the descriptor set of all own protos with their comments, which Envoy has no use for."""
    own = map(str, PROTOS.glob("medconnect/**/*.proto"))
    with tempfile.NamedTemporaryFile() as file:
        run_protoc(f"--descriptor_set_out={file.name}", "--include_imports", "--include_source_info", *sorted(own))
        return file.read()


def files(folder: Path) -> set[Path]:
    """The generated files below a folder, relative to it."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in found if path.name not in KEPT and "__pycache__" not in path.parts}


def differences(new: Path) -> Iterator[Path]:
    """What generated/ lacks, has too much, or has with other content than `new`."""
    yield from sorted(files(new) ^ files(GENERATED))
    for path in sorted(files(new) & files(GENERATED)):
        if not filecmp.cmp(new / path, GENERATED / path, shallow=False):
            yield path


def main() -> None:
    """Rebuild, or with `--check` fail if a rebuild would change anything."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder)
        generate(new)
        if "--check" in sys.argv[1:]:
            if changed := list(differences(new)):
                sys.exit(f"generated/ is not what the protos say; run `make protos`: {', '.join(map(str, changed))}")
            return
        for path in files(GENERATED):
            (GENERATED / path).unlink()
        shutil.copytree(new, GENERATED, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
