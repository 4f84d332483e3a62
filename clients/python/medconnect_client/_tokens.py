"""What signing in gives, and where it is kept."""

import base64
import json
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tokens:
    """The keys to a session; keep them secret."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    """When the access token ends, by the server's clock."""


class TokenStore(Protocol):
    """Where the tokens of a session are kept between calls, or between runs of a program."""

    def load(self) -> Tokens | None:
        """The tokens that are kept; None: nobody is signed in."""
        ...

    def save(self, tokens: Tokens | None) -> None:
        """Keep these instead; None: forget them."""
        ...

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """While the block runs, nobody else who shares the store exchanges its tokens; may wait for them."""
        ...


class MemoryTokens:
    """Keeps the tokens as long as the client lives."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    def load(self) -> Tokens | None:
        """The tokens that are kept."""
        return self._tokens

    def save(self, tokens: Tokens | None) -> None:
        """Keep these instead."""
        self._tokens = tokens

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Nobody shares them."""
        return nullcontext()


def life_of(access_token: str) -> float | None:
    """Seconds from a token's issue to its end, as it says itself; None if it cannot be read.

    A span, not a moment: it holds where the local clock is wrong.
    """
    try:
        body = access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims["exp"] - claims["iat"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None
