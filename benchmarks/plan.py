"""The calls of a benchmark, with the responses and the SQL statements that the server was recorded with.

It imports nothing of the server, because the processes of the baselines load only this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from google.protobuf.message import Message

Metadata = tuple[tuple[str, str], ...]


class Variant(StrEnum):
    """The measured servers: the two baselines, the interceptors alone, the whole server, and that through Envoy."""

    F0 = "F0"
    F1 = "F1"
    CHAIN = "chain"
    SERVER = "server"
    REST = "REST"


EVERY: Final = tuple(Variant)
WITHOUT_BASELINES: Final = (Variant.SERVER, Variant.REST)


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
    reset_arguments: tuple[Any, ...] = ()
    variants: tuple[Variant, ...] = EVERY
    """The servers to measure; without baselines only the first request is rehearsed."""
    http: tuple[bytes, ...] = ()
    """HTTP requests to send instead of those that the contract gives for `requests`."""
    first_time: bool = False
    """True if only the first use of each request is of interest: one round without warm-up."""


@dataclass(frozen=True, slots=True)
class RehearsedCall:
    """A call with the recorded exchange of each of its requests."""

    call: Call
    exchanges: tuple[Exchange, ...]

    @property
    def statement_count(self) -> int:
        """The number of statements of a call, without BEGIN and COMMIT."""
        return max(len(exchange.statements) for exchange in self.exchanges)
