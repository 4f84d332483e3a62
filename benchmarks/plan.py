"""What a benchmark calls, and what the server answered and asked the database when that was rehearsed.

Knows nothing of the server: the floors' processes load this and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the driver gets it; `many` if it is one for several rows of parameters."""

    sql: str
    parameters: Sequence[Any]
    many: bool
    in_transaction: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, the statements that the server ran for it, and its response."""

    request: bytes
    statements: tuple[Statement, ...]
    response: bytes
    fresh: tuple[Any, ...] = ()
    """The values among the parameters that are made anew for every call, such as ids."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method, called with each of the requests in turn."""

    name: str
    path: str
    request_type: type[Message]
    response_type: type[Message]
    metadata: Metadata
    requests: tuple[bytes, ...]
    once: bool = False
    """Whether a request may be used once only before `reset`."""
    reset: str = ""
    """SQL that makes the requests usable again."""


@dataclass(frozen=True, slots=True)
class RehearsedCall:
    """A call with what is known of each of its requests."""

    call: Call
    exchanges: tuple[Exchange, ...]

    @property
    def statement_count(self) -> int:
        """How many statements a call takes, BEGIN and COMMIT apart."""
        return max(len(exchange.statements) for exchange in self.exchanges)
