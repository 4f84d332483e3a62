"""Reads the example of each RPC, a successful request and its response, from one file per service in examples/.

An entry contains under `request` the fields of the request by JSON names, wherever REST carries them, and under `data`
the response message. tests/openapi/test_examples.py calls every example.
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
    """A successful call."""

    request: Mapping[str, Any]
    """The request's fields by JSON names."""
    data: Any
    """The response message; None for an image."""


def read_examples(folder: Path = FOLDER) -> dict[str, Example]:
    """Returns the examples of all files in a folder by the name of their RPC."""
    entries: dict[str, Any] = {}
    for file in sorted(folder.glob("*.json")):
        entries.update(json.loads(file.read_text()))
    return {name: Example(entry.get("request", {}), entry.get("data")) for name, entry in entries.items()}


def check_complete(examples: Iterable[str], methods: Iterable[str]) -> None:
    """Raises OpenApiError unless every RPC has an example, and every example an RPC."""
    if missing := sorted(set(methods) - set(examples)):
        raise OpenApiError(f"protos/openapi/examples contains no example of {', '.join(missing)}")
    if unknown := sorted(set(examples) - set(methods)):
        raise OpenApiError(f"protos/openapi/examples contains {', '.join(unknown)}, which no service has")
