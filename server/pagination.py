"""Keyset pagination: the pages of a list, and the opaque tokens that continue it."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Generic, TypeAlias, TypeVar
from uuid import UUID

from server import base64url
from server.errors import PageTokenInvalid
from server.identity import Caller

DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
"""The limit on a page; the contract refuses larger sizes."""
COUNT_LIMIT: Final = 1000
"""Totals are exact up to this number; beyond it this number is returned and marked as a minimum."""

CursorValue: TypeAlias = str | int | bool | None
DayAndId: TypeAlias = tuple[date, UUID]
MomentAndId: TypeAlias = tuple[datetime, UUID]

_MIN_KEY_BYTES: Final = 32
_MAC_BYTES: Final = 16
_PURPOSE: Final = b"medconnect page token 1"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{24,1024}")

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A requested page: the number of rows, and the token they follow; an empty token means the first page."""

    size: int
    token: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. next_page_token is empty on the last page; see COUNT_LIMIT for the total."""

    items: tuple[T, ...]
    next_page_token: str
    total_size: int
    total_size_is_minimum: bool


class PageTokens:
    """Issues and reads page tokens: base64url of a truncated HMAC-SHA256 (16 bytes) and the cursor as JSON.

    The scope ties a token to its list: caller id, RPC and canonical filter in one text. A token is authentic, not
    secret: its holder can read the cursor, and URLs are logged, so a cursor names rows by id and time, never a person.
    former: previous keys, whose tokens are still accepted.
    """

    def __init__(self, key: bytes, *former: bytes) -> None:
        if any(len(each) < _MIN_KEY_BYTES for each in (key, *former)):
            raise ValueError(f"the page token key needs at least {_MIN_KEY_BYTES} bytes")
        self._keys = (key, *former)

    def issue(self, cursor: tuple[CursorValue, ...], scope: str) -> str:
        """Returns the token that continues a list after this cursor (the sort key of its last row)."""
        payload = json.dumps(cursor, separators=(",", ":")).encode()
        return base64url.encode(_mac(self._keys[0], payload, scope) + payload)

    def read(self, token: str, scope: str) -> tuple[CursorValue, ...]:
        """Returns the cursor of a token issued for the same scope. Raises PageTokenInvalid for any other token."""
        if not _TOKEN.fullmatch(token) or len(token) % 4 == 1:
            raise PageTokenInvalid()
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        mac, payload = data[:_MAC_BYTES], data[_MAC_BYTES:]
        known = [hmac.compare_digest(mac, _mac(key, payload, scope)) for key in self._keys]
        if base64url.encode(data) != token or not any(known):
            raise PageTokenInvalid()
        return tuple(json.loads(payload))


def _mac(key: bytes, payload: bytes, scope: str) -> bytes:
    scoped = _PURPOSE + hashlib.sha256(scope.encode()).digest() + payload
    return hmac.digest(key, scoped, "sha256")[:_MAC_BYTES]


@dataclass(frozen=True, slots=True)
class Cursor(Generic[K]):
    """How a page token names the row that a list continues after, by the row's sort key."""

    write: Callable[[K], tuple[str, ...]]
    read: Callable[..., K]
    """Returns the key from the texts that `write` returned. Raises ValueError."""


BY_ID: Final[Cursor[UUID]] = Cursor(lambda row_id: (str(row_id),), UUID)
BY_VERSION: Final[Cursor[int]] = Cursor(lambda version: (str(version),), int)
BY_DAY: Final[Cursor[DayAndId]] = Cursor(
    lambda key: (key[0].isoformat(), str(key[1])), lambda day, row_id: (date.fromisoformat(day), UUID(row_id))
)
BY_MOMENT: Final[Cursor[MomentAndId]] = Cursor(
    lambda key: (key[0].isoformat(), str(key[1])),
    lambda moment, row_id: (datetime.fromisoformat(moment), UUID(row_id)),
)
"""Keeps microseconds and the UTC offset."""


@dataclass(frozen=True, slots=True)
class PageQuery(Generic[T, K]):
    """The rows to fetch for a page: `size` + 1 after the key `after`, because one more proves that a page follows."""

    after: K | None
    """None for the first page."""
    size: int
    _token_after: Callable[[T], str]

    def page(self, rows: Sequence[T], found: int) -> Page[T]:
        """Returns the page. found: how many rows the filter finds, counted to COUNT_LIMIT + 1."""
        items = tuple(rows[: self.size])
        token = self._token_after(items[-1]) if len(rows) > self.size else ""
        return Page(items, token, min(found, COUNT_LIMIT), found > COUNT_LIMIT)


class Listing(Generic[T, K]):
    """The list of one RPC; its page tokens are valid for one caller and one filter.

    name: the RPC's name. cursor: the form of the sort key in a token. key: returns a row's sort key.
    """

    def __init__(self, tokens: PageTokens, name: str, cursor: Cursor[K], key: Callable[[T], K]) -> None:
        self._tokens = tokens
        self._name = name
        self._cursor = cursor
        self._key = key

    def query(self, caller: Caller, page: PageRequest, *filters: object) -> PageQuery[T, K]:
        """Returns the query of a requested page. Raises PageTokenInvalid.

        filters: canonical, because a token continues only the list with equal filters; their order and form are part of
        the tokens that clients hold.
        """
        scope = "|".join((str(caller.user_id), self._name, *map(_canonical, filters)))
        after = self._read(page.token, scope) if page.token else None
        return PageQuery(after, page.size, lambda row: self._tokens.issue(self._cursor.write(self._key(row)), scope))

    def _read(self, token: str, scope: str) -> K:
        try:
            return self._cursor.read(*map(str, self._tokens.read(token, scope)))
        except (TypeError, ValueError):  # the token is from before a release that changed this list's cursor
            raise PageTokenInvalid() from None


def _canonical(value: object) -> str:
    """Returns a filter's text; a caller's text is quoted, so that it cannot contain another filter's."""
    return repr(value) if type(value) is str else str(value)
