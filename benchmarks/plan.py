"""The calls of a benchmark, with the responses and the SQL statements that the server was recorded with.

It imports nothing of the server, because the processes of the baselines load only this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as passed to the driver; `many` if it runs for several rows of parameters."""

    sql: str
    parameters: Sequence[Any]
    many: bool
    in_transaction: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with its response and the statements that the server ran for it."""

    request: bytes
    statements: tuple[Statement, ...]
    response: bytes
    fresh: tuple[Any, ...] = ()
    """The parameters whose values are new in every call, such as ids."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method and the requests that it is called with in turn."""

    name: str
    path: str
    request_type: type[Message]
    response_type: type[Message]
    metadata: Metadata
    requests: tuple[bytes, ...]
    once: bool = False
    """True if a request can be used only once before `reset`."""
    reset: str = ""
    """SQL that makes the requests usable again."""


@dataclass(frozen=True, slots=True)
class RehearsedCall:
    """A call with the recorded exchange of each of its requests."""

    call: Call
    exchanges: tuple[Exchange, ...]

    @property
    def statement_count(self) -> int:
        """The number of statements of a call, without BEGIN and COMMIT."""
        return max(len(exchange.statements) for exchange in self.exchanges)
