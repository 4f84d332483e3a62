"""The example of each RPC: a request that works and what it is answered, one file a service in examples/.

An entry holds under `request` the fields of the request by JSON names, wherever they stand over REST, and under `data`
the message that is answered. tests/openapi/test_examples.py plays every one of them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protos.openapi.contract import OpenApiError

FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    """A call that works."""

    request: Mapping[str, Any]
    """The request's fields by JSON names."""
    data: Any
    """The response message; of a picture nothing."""


def read_examples(folder: Path = FOLDER) -> dict[str, Example]:
    """Return the examples of all files in a folder by the name of their RPC."""
    entries: dict[str, Any] = {}
    for file in sorted(folder.glob("*.json")):
        entries.update(json.loads(file.read_text()))
    return {name: Example(entry.get("request", {}), entry.get("data")) for name, entry in entries.items()}


def check_complete(examples: Iterable[str], methods: Iterable[str]) -> None:
    """Raise OpenApiError unless every RPC has an example, and every example an RPC."""
    if missing := sorted(set(methods) - set(examples)):
        raise OpenApiError(f"protos/openapi/examples shows no example of {', '.join(missing)}")
    if unknown := sorted(set(examples) - set(methods)):
        raise OpenApiError(f"protos/openapi/examples shows {', '.join(unknown)}, which no service has")
