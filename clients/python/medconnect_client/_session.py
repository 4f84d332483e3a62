"""A signed-in session: hands out access tokens, and exchanges them once for all who wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from medconnect_client._clock import Clock
from medconnect_client._retry import is_passing
from medconnect_client._tokens import Tokens, TokenStore, life_of
from medconnect_client.errors import Failure, MedConnectError, RefreshTokenInvalid, Unauthenticated

MARGIN_SECONDS: Final = 60.0
"""An access token with less left is exchanged before it is used again; of a short-lived one, a fifth of its life."""
MARGIN_SHARE: Final = 0.2

Exchange = Callable[[str], Awaitable[Tokens]]
"""Exchanges a refresh token for the next pair of tokens."""


class Session:
    """The tokens of one signed-in account.

    How long a token lives is counted from its receipt by a clock that cannot be turned; a token that the server refuses
    all the same is exchanged then.
    """

    def __init__(self, exchange: Exchange, store: TokenStore, clock: Clock) -> None:
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._tokens = store.load()
        self._ends_at = self._end_by_wall_clock(self._tokens)
        self._margin = MARGIN_SECONDS
        self._exchanging: asyncio.Task[None] | None = None

    @property
    def signed_in(self) -> bool:
        """Whether there are tokens to call with; the server may have ended the session all the same."""
        return self._tokens is not None

    def begin(self, tokens: Tokens) -> None:
        """Go on with the tokens of a sign-in."""
        self._store.save(tokens)
        self._received(tokens)

    def end(self) -> None:
        """Forget the tokens."""
        self._tokens = None
        self._store.save(None)

    async def token(self) -> str:
        """An access token that lasts a while. Raises Unauthenticated, and what the exchange raises."""
        tokens = self._present()
        left = self._ends_at - self._clock.monotonic()
        if left < self._margin:
            try:
                await self._exchanged()
            except MedConnectError as error:
                if left <= 0 or not is_passing(error):
                    raise  # otherwise the present token still does, and the server may be back before it ends
        return (self._tokens or tokens).access_token

    async def renewed(self, refused: str) -> str:
        """Another access token instead of one that the server refused. Raises as `token` does."""
        if self._present().access_token == refused:
            await self._exchanged()
        return self._present().access_token

    async def close(self) -> None:
        """Stop what is under way."""
        if self._exchanging is not None:
            self._exchanging.cancel()
            with suppress(asyncio.CancelledError, MedConnectError):
                await self._exchanging

    async def _exchanged(self) -> None:
        """Wait for the one exchange that is under way; it goes on if a waiter gives up."""
        if self._exchanging is None or self._exchanging.done():
            self._exchanging = asyncio.create_task(self._exchange_tokens())
            self._exchanging.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await asyncio.shield(self._exchanging)
        except MedConnectError as error:
            raise type(error)(error.failure) from error  # each waiter gets one of his own

    async def _exchange_tokens(self) -> None:
        """Exchange the tokens, or take over those that another program with the same store got meanwhile."""
        mine = self._present()
        async with self._store.exclusive():
            kept = self._store.load()
            if kept is None or kept.refresh_token == mine.refresh_token:
                kept = await self._exchange_for(mine.refresh_token)
        self._received(kept)

    async def _exchange_for(self, refresh_token: str) -> Tokens:
        try:
            tokens = await self._exchange(refresh_token)
        except RefreshTokenInvalid:
            self.end()
            raise
        self._store.save(tokens)
        return tokens

    def _present(self) -> Tokens:
        if self._tokens is None:
            raise Unauthenticated(Failure("Sign in first."))
        return self._tokens

    def _received(self, tokens: Tokens) -> None:
        life = life_of(tokens.access_token)
        self._tokens = tokens
        if life is None:
            self._ends_at = self._end_by_wall_clock(tokens)
        else:
            self._ends_at = self._clock.monotonic() + life
            self._margin = min(MARGIN_SECONDS, life * MARGIN_SHARE)

    def _end_by_wall_clock(self, tokens: Tokens | None) -> float:
        left = (tokens.expires_at - self._clock.now()).total_seconds() if tokens else 0.0
        return self._clock.monotonic() + left
