"""The tokens of a session, and stores for them."""

import base64
import json
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session; keep them secret."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    """When the access token expires, by the server's clock."""


class TokenStore(Protocol):
    """A store that keeps the tokens of a session between calls, or between runs of a program."""

    def load(self) -> Tokens | None:
        """Returns the stored tokens; None if no session is stored."""
        ...

    def save(self, tokens: Tokens | None) -> None:
        """Replaces the stored tokens; None deletes them."""
        ...

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Locks the store while the block runs, so that only one of the programs that share it refreshes the tokens."""
        ...


class MemoryTokens:
    """A store in the client's memory."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    def load(self) -> Tokens | None:
        """Returns the stored tokens; None if no session is stored."""
        return self._tokens

    def save(self, tokens: Tokens | None) -> None:
        """Replaces the stored tokens."""
        self._tokens = tokens

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Does nothing: the store is not shared."""
        return nullcontext()


def life_of(access_token: str) -> float | None:
    """Returns the seconds from a token's issue to its expiry, from its claims; None if it cannot be parsed.

    It is a duration, not a point in time, so that it is right even if the local clock is wrong.
    """
    try:
        body = access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims["exp"] - claims["iat"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None
