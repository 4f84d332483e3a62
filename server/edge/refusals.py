"""Logs the refusals that Envoy answers itself: its access log (envoy.yaml), read from its standard output.

Callers choose what they send, so a line contains only values of a known form: of a path, the words that occur in a
published path. A number, a name or a token in a path, and every query, is left out.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from server.edge.sites import Site, served
from server.trace_context import trace_id_of

LINES_A_SECOND: Final = 50
"""More lines are counted instead of written: an attacker must not fill the disk by refused requests."""
CHUNK_BYTES: Final = 65536
HIDDEN: Final = "*"
"""Replaces what is not published, in paths and methods."""
MOST_SEGMENTS: Final = 8
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# For example `upstream_reset_before_response_started{connection_termination}`, all of it Envoy's own words.
_CAUSE: Final = re.compile(r"[\w.]{1,80}(\{[\w.|:,-]{1,120}\})?")
_ID: Final = re.compile(r"[0-9a-f-]{36}")
_REASON: Final = re.compile(r"[A-Z_]{1,40}")
_ADDRESS: Final = re.compile(r"[0-9a-f.:]{2,45}")

Line = Mapping[str, Any]

_log = structlog.get_logger()


def published_words(descriptors: Path, sites: tuple[Site, ...]) -> frozenset[str]:
    """Returns the words of all paths that the edge publishes: of methods over REST and gRPC, and of files."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file
    paths = [path for file in files for path in _paths(file)]
    paths += [file.path for file in served(sites)]
    words = {word for path in paths for word in path.split("/")}
    return frozenset(word for word in words if not word.startswith("{"))


def _paths(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    for service in file.service:
        for method in service.method:
            yield f"{file.package}.{service.name}/{method.name}"
            rule = method.options.Extensions[annotations_pb2.http]
            for each in (rule, *rule.additional_bindings):
                yield getattr(each, each.WhichOneof("pattern") or "get")


class RefusalLog:
    """Writes one line for each refusal of Envoy, at most LINES_A_SECOND."""

    def __init__(self, words: frozenset[str], monotonic: Callable[[], float]) -> None:
        self._words = words
        self._monotonic = monotonic
        self._second = -1
        self._written = 0
        self._unlogged = 0

    async def follow(self, output: asyncio.StreamReader) -> None:
        """Writes the lines of an Envoy until it has ended. Raises nothing: a full pipe would stop Envoy's log."""
        rest = b""
        while chunk := await output.read(CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.note(line)

    def note(self, line: bytes) -> None:
        """Writes the log line of a line of Envoy's, or counts it."""
        second = int(self._monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= LINES_A_SECOND:
            self._unlogged += 1
            return
        try:
            told = json.loads(line)
            fields = self._fields(told)
        except (ValueError, TypeError, LookupError, AttributeError):
            return  # not a line of the access log
        self._written += 1
        if self._unlogged:
            fields["unlogged"], self._unlogged = self._unlogged, 0
        log = _log.warning if told["status"] >= 500 else _log.info
        log("edge_refused", **fields)

    def _fields(self, told: Line) -> dict[str, Any]:
        """Returns the fields of a refusal; what has no value is left out."""
        fields = {
            "request_id": _matching(_ID, told["response_id"]) or _matching(_ID, told["request_id"]),
            "trace_id": trace_id_of(told["traceparent"]),
            "transport": told["transport"],
            "method": told["method"] if told["method"] in METHODS else HIDDEN,
            "path": None if told["path"] is None else self._path(told["path"]),
            "status": int(told["status"]),
            "code": _matching(_REASON, (told["grpc_status"] or "").upper()),
            "outcome": _matching(_REASON, told["reason"]),
            "cause": _matching(_CAUSE, told["cause"]),
            "milliseconds": told["milliseconds"],
            "address": _matching(_ADDRESS, told["address"]),
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _path(self, path: str) -> str:
        """Returns a path without its query, in which all but the published words is hidden."""
        segments = path.partition("?")[0].split("/")[:MOST_SEGMENTS]
        return "/".join(segment if segment in self._words else HIDDEN for segment in segments)


def _matching(form: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and form.fullmatch(value) else None
