"""Converts the values that all mappings share: times, dates, enums and pages."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from itertools import accumulate
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from server.date_range import Period
from server.errors import ValidationFailed
from server.pagination import DEFAULT_PAGE_SIZE, Page, PageRequest

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_OF_DAY: Final = 86_400

MOST_BYTES: Final = 3 * 1024 * 1024
"""The limit on the size of a page, as JSON: below the 4 MiB of a gRPC message and the 8 MiB that the edge buffers."""
_SURELY_FITS: Final = MOST_BYTES // 16
"""In bytes of the message, which takes less than sixteen times as many as JSON; measuring that takes long."""
_ENTRIES: Final = 1
"""The number of the field that holds a page's entries, in every response of a list."""

E_ = TypeVar("E_", bound=Enum)
T = TypeVar("T")
V = TypeVar("V", bound=int, covariant=True)


class WireEnum(Protocol[V]):
    """An enum of the protos."""

    def Value(self, name: str) -> V:  # noqa: N802 - protobuf's name
        """Returns the number of a name."""
        ...


class PagedRequest(Protocol):
    """The request of a list."""

    page_size: int
    page_token: str


class DatedRequest(Protocol):
    """The request of a list with a filter by days; empty texts do not filter."""

    from_date: str
    to_date: str


class PagedResponse(Protocol):
    """The response of a list."""

    DESCRIPTOR: Any
    next_page_token: str
    total_size: int
    total_size_is_minimum: bool

    def ByteSize(self) -> int:  # noqa: N802 - protobuf's name
        """Returns the size of the message."""
        ...


def timestamp(moment: datetime) -> Timestamp:
    """Returns an aware datetime as a Timestamp."""
    message = Timestamp()
    fill_timestamp(message, moment)
    return message


def fill_timestamp(message: Timestamp, moment: datetime) -> None:
    """Sets a Timestamp inside another message; a third of the cost of FromDatetime, and nothing is copied."""
    since = moment - _EPOCH
    message.seconds = since.days * _SECONDS_OF_DAY + since.seconds
    message.nanos = since.microseconds * 1000


def date_text(day: date | None) -> str:
    """Returns `YYYY-MM-DD`; empty for None."""
    return "" if day is None else day.isoformat()


def read_date(text: str, field: str) -> date:
    """Returns the day of a `YYYY-MM-DD` text. Raises ValidationFailed for `field` if there is no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValidationFailed.of(field, "must be a date that exists, YYYY-MM-DD") from None


def read_uuid(text: str) -> UUID:
    """Returns the UUID of a text that has passed validation."""
    return UUID(text)


def optional_id(text: str) -> UUID | None:
    """Returns the UUID of a text that has passed validation; None for an empty one."""
    return UUID(text) if text else None


def enum_pair(wire: WireEnum[V], entity: type[E_], prefix: str) -> tuple[Mapping[E_, V], Mapping[int, E_]]:
    """Returns both directions of an enum, matched by name: `PREFIX_FOLLOW_UP` in the proto is `FOLLOW_UP` here."""
    numbers = {member: wire.Value(f"{prefix}_{member.name}") for member in entity}
    return numbers, {number: member for member, number in numbers.items()}


def read_period(message: DatedRequest) -> Period:
    """Returns the days that filter a list. Raises ValidationFailed for a date that does not exist."""
    return Period(
        first=read_date(message.from_date, "from") if message.from_date else None,
        last=read_date(message.to_date, "to") if message.to_date else None,
    )


def page_request(message: PagedRequest) -> PageRequest:
    """Returns the page that a request asks for."""
    return PageRequest(message.page_size or DEFAULT_PAGE_SIZE, message.page_token)


def fill_page(response: PagedResponse, page: Page[T]) -> None:
    """Sets a page's token and totals in a response that holds its entries, and cuts it to what fits into a message."""
    if response.ByteSize() > _SURELY_FITS:
        entries: Any = getattr(response, response.DESCRIPTOR.fields_by_number[_ENTRIES].name)
        fitting = max(1, bisect_right(list(accumulate(map(_json_bytes, entries))), MOST_BYTES))
        if fitting < len(entries):
            del entries[fitting:]
            page = page.first(fitting)
    response.next_page_token = page.next_page_token
    response.total_size = page.total_size
    response.total_size_is_minimum = page.total_size_is_minimum


def _json_bytes(entry: Message) -> int:
    """Returns how many bytes an entry takes as JSON at most; the edge writes `<` and `>` as six."""
    text = MessageToJson(entry, indent=None, ensure_ascii=False, always_print_fields_with_no_presence=True)
    return len(text.encode()) + 5 * (text.count("<") + text.count(">"))
