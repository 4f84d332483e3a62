"""Keyset pagination: the pages of a list, and the opaque tokens that continue it."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Generic, TypeAlias, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

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
NameAndId: TypeAlias = tuple[str | None, UUID]
"""A sort name; None in a token that names only the row, whose sort name is then that of today."""

_MIN_KEY_BYTES: Final = 32
_MAC_BYTES: Final = 16
_PURPOSE: Final = b"medconnect page token 1"
_SEALED_PURPOSE: Final = b"medconnect sealed page token 1"
_LONGEST_NAME: Final = 600
"""In bytes; with a longer name a token would be longer than requests may hold."""
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
    token_after: Callable[[T], str] = field(compare=False, repr=False)
    """Returns the token that continues the list after an entry."""

    def first(self, count: int) -> "Page[T]":
        """Returns the page cut to its first entries, at least one."""
        items = self.items[:count]
        return replace(self, items=items, next_page_token=self.token_after(items[-1]))


class PageTokens:
    """Issues and reads page tokens: base64url of a truncated HMAC-SHA256 (16 bytes) and the cursor as JSON.

    The scope ties a token to its list: caller id, RPC and canonical filter in one text. A token is authentic, not
    secret: its holder can read the cursor, and URLs are logged, so such a cursor names rows by id and time. A cursor
    that names a person is sealed by AES-SIV (RFC 5297), whose ciphertext is authentic, too. former: previous keys,
    whose tokens are still accepted.
    """

    def __init__(self, key: bytes, *former: bytes) -> None:
        if any(len(each) < _MIN_KEY_BYTES for each in (key, *former)):
            raise ValueError(f"the page token key needs at least {_MIN_KEY_BYTES} bytes")
        self._keys = (key, *former)
        self._seals = [AESSIV(hmac.digest(each, _SEALED_PURPOSE, "sha512")) for each in self._keys]

    def issue(self, cursor: tuple[CursorValue, ...], scope: str, *, sealed: bool = False) -> str:
        """Returns the token that continues a list after this cursor (the sort key of its last row)."""
        payload = json.dumps(cursor, separators=(",", ":"), ensure_ascii=not sealed).encode()
        if sealed:
            return base64url.encode(self._seals[0].encrypt(payload, [scope.encode()]))
        return base64url.encode(_mac(self._keys[0], payload, scope) + payload)

    def read(self, token: str, scope: str) -> tuple[CursorValue, ...]:
        """Returns the cursor of a token issued for the same scope. Raises PageTokenInvalid for any other token."""
        if not _TOKEN.fullmatch(token) or len(token) % 4 == 1:
            raise PageTokenInvalid()
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if base64url.encode(data) != token:
            raise PageTokenInvalid()
        mac, payload = data[:_MAC_BYTES], data[_MAC_BYTES:]
        known = [hmac.compare_digest(mac, _mac(key, payload, scope)) for key in self._keys]
        return tuple(json.loads(payload if any(known) else self._unseal(data, scope)))

    def _unseal(self, data: bytes, scope: str) -> bytes:
        for seal in self._seals:
            with suppress(InvalidTag):
                return seal.decrypt(data, [scope.encode()])
        raise PageTokenInvalid()


def _mac(key: bytes, payload: bytes, scope: str) -> bytes:
    scoped = _PURPOSE + hashlib.sha256(scope.encode()).digest() + payload
    return hmac.digest(key, scoped, "sha256")[:_MAC_BYTES]


@dataclass(frozen=True, slots=True)
class Cursor(Generic[K]):
    """How a page token names the row that a list continues after, by the row's sort key."""

    write: Callable[[K], tuple[str, ...]]
    read: Callable[..., K]
    """Returns the key from the texts that `write` returned. Raises ValueError."""
    sealed: bool = False
    """True if the key names a person: URLs hold tokens, and are logged."""


BY_VERSION: Final[Cursor[int]] = Cursor(lambda version: (str(version),), int)
BY_DAY: Final[Cursor[DayAndId]] = Cursor(
    lambda key: (key[0].isoformat(), str(key[1])), lambda day, row_id: (date.fromisoformat(day), UUID(row_id))
)
BY_MOMENT: Final[Cursor[MomentAndId]] = Cursor(
    lambda key: (key[0].isoformat(), str(key[1])),
    lambda moment, row_id: (datetime.fromisoformat(moment), UUID(row_id)),
)
"""Keeps microseconds and the UTC offset."""


def _write_name(key: NameAndId) -> tuple[str, ...]:
    name, row_id = key
    return (str(row_id),) if name is None or len(name.encode()) > _LONGEST_NAME else (name, str(row_id))


def _read_name(*texts: str) -> NameAndId:
    """Returns the key of a token; those of releases before hold only the id."""
    *names, row_id = texts
    if len(names) > 1:
        raise ValueError("a cursor by name has a name and an id")
    return (names[0] if names else None, UUID(row_id))


BY_NAME: Final[Cursor[NameAndId]] = Cursor(_write_name, _read_name, sealed=True)
"""Holds the sort name itself: the list goes on where it was, even if the row has been renamed since."""


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
        return Page(items, token, min(found, COUNT_LIMIT), found > COUNT_LIMIT, self._token_after)


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
        return PageQuery(after, page.size, lambda row: self._issue(row, scope))

    def _issue(self, row: T, scope: str) -> str:
        return self._tokens.issue(self._cursor.write(self._key(row)), scope, sealed=self._cursor.sealed)

    def _read(self, token: str, scope: str) -> K:
        try:
            return self._cursor.read(*map(str, self._tokens.read(token, scope)))
        except (TypeError, ValueError):  # the token is from before a release that changed this list's cursor
            raise PageTokenInvalid() from None


def _canonical(value: object) -> str:
    """Returns a filter's text; a caller's text is quoted, so that it cannot contain another filter's."""
    return repr(value) if type(value) is str else str(value)
