"""Keyset pagination: the pages of a list, and the opaque tokens that continue it."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeAlias, TypeVar
from uuid import UUID

from server import base64url
from server.errors import PageTokenInvalid

DEFAULT_PAGE_SIZE: Final = 20
COUNT_LIMIT: Final = 1000
"""Totals are exact up to this number; beyond it this number is returned and marked as a minimum."""

CursorValue: TypeAlias = str | int | bool | None

_MIN_KEY_BYTES: Final = 32
_MAC_BYTES: Final = 16
_PURPOSE: Final = b"medconnect page token 1"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{24,1024}")

T = TypeVar("T")


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


def page_of(rows: Sequence[T], found: int, size: int, token_after: Callable[[T], str]) -> Page[T]:
    """Returns the page of a query that fetched one row more than `size`, which proves that there is a next page.

    found: how many rows the filter finds, counted to COUNT_LIMIT + 1. token_after: returns the token of the page that
    follows a row.
    """
    more = len(rows) > size
    items = tuple(rows[:size])
    token = token_after(items[-1]) if more else ""
    return Page(items, token, min(found, COUNT_LIMIT), found > COUNT_LIMIT)


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

    def issue_after(self, moment: datetime, row_id: UUID, scope: str) -> str:
        """Returns the token of the usual cursor: rows ordered by time, then id. Keeps microseconds and UTC offset."""
        return self.issue((moment.isoformat(), str(row_id)), scope)

    def read_after(self, token: str, scope: str) -> tuple[datetime, UUID]:
        """Returns the cursor that issue_after wrote. Raises PageTokenInvalid."""
        match self.read(token, scope):
            case (str() as moment, str() as row_id):
                return datetime.fromisoformat(moment), UUID(row_id)
            case _:  # the token was issued before an upgrade that changed this list's cursor
                raise PageTokenInvalid()


def _mac(key: bytes, payload: bytes, scope: str) -> bytes:
    scoped = _PURPOSE + hashlib.sha256(scope.encode()).digest() + payload
    return hmac.digest(key, scoped, "sha256")[:_MAC_BYTES]
