"""Turns gRPC requests into HTTP/1.1 requests by the contract's rules, and sends them on kept connections."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from google.api import annotations_pb2
from google.protobuf import descriptor_pool, json_format

from benchmarks.plan import Call

VERBS: Final = ("get", "put", "post", "delete", "patch")


class RequestFailed(Exception):
    """The response to a request was no success."""


def http_requests(call: Call) -> tuple[bytes, ...]:
    """Returns the call's requests as HTTP/1.1 requests of the REST API, in the same order."""
    verb, template, body = _rule(call.path)
    headers = {name: value for name, value in call.metadata if name == "authorization"}
    return tuple(_written(verb, template, body, _fields(call, request), headers) for request in call.requests)


def _rule(path: str) -> tuple[str, str, str]:
    """Returns verb, path template and body of a method's `google.api.http` rule."""
    _, service, name = path.split("/")
    method = descriptor_pool.Default().FindMethodByName(f"{service}.{name}")
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    [verb] = [verb for verb in VERBS if getattr(rule, verb)]
    return verb.upper(), getattr(rule, verb), rule.body


def _fields(call: Call, request: bytes) -> dict[str, Any]:
    message = call.request_type.FromString(request)
    fields: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def _written(verb: str, template: str, body: str, fields: dict[str, Any], headers: Mapping[str, str]) -> bytes:
    in_path = re.findall(r"\{(\w+)\}", template)
    path = template
    for name in in_path:
        path = path.replace(f"{{{name}}}", quote(str(fields.pop(name)), safe=""))
    content = b""
    if body == "*":
        content = json.dumps(fields).encode()
        headers = {**headers, "content-type": "application/json", "content-length": str(len(content))}
    elif fields:
        path += "?" + urlencode(fields, doseq=True)
    lines = [f"{verb} {path} HTTP/1.1", "host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class HttpConnection:
    """A kept connection; one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> bytes:
        """Sends a request and returns the body of its response. Raises RequestFailed."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = re.search(r"\r\ncontent-length: (\d+)", head)
        content = await reader.readexactly(int(length[1])) if length else await _chunked(reader)
        if not head.startswith("http/1.1 2"):
            raise RequestFailed(f"{head.splitlines()[0]}: {content[:300]!r}")
        if "connection: close" in head:
            self.close()
        return content

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)
