"""A signed-in session: provides access tokens, and refreshes them once for all waiting calls."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from medconnect_client._clock import Clock
from medconnect_client._retry import is_passing
from medconnect_client._tokens import Tokens, TokenStore, life_of
from medconnect_client.errors import Failure, MedConnectError, RefreshTokenInvalid, Unauthenticated

MARGIN_SECONDS: Final = 60.0
"""An access token is refreshed when less than this is left of it, or less than MARGIN_SHARE of its lifetime."""
MARGIN_SHARE: Final = 0.2

Exchange = Callable[[str], Awaitable[Tokens]]
"""A function that exchanges a refresh token for the next pair of tokens."""


class Session:
    """The tokens of one signed-in account.

    The remaining lifetime of an access token is measured from its receipt by the monotonic clock. A token that the
    server rejects before is refreshed then.
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
        """True if there are tokens to call with; the server may have ended the session nevertheless."""
        return self._tokens is not None

    def begin(self, tokens: Tokens) -> None:
        """Stores the tokens of a sign-in and uses them from now on."""
        self._store.save(tokens)
        self._store_tokens(tokens)

    def end(self) -> None:
        """Deletes the tokens."""
        self._tokens = None
        self._store.save(None)

    async def token(self) -> str:
        """Returns an access token that is valid for a while. Raises Unauthenticated, and the errors of the exchange."""
        tokens = self._present()
        left = self._ends_at - self._clock.monotonic()
        if left < self._margin:
            try:
                await self._await_exchange()
            except MedConnectError as error:
                if left <= 0 or not is_passing(error):
                    raise  # otherwise the current token is still valid, and the server may be back before it expires
        return (self._tokens or tokens).access_token

    async def renewed(self, refused: str) -> str:
        """Returns a new access token in place of one that the server rejected. Raises as `token` does."""
        if self._present().access_token == refused:
            await self._await_exchange()
        return self._present().access_token

    async def exchanged(self) -> None:
        """Gets a new access token, because what it must state has changed. Raises as `token` does."""
        await self.renewed(self._present().access_token)

    async def close(self) -> None:
        """Cancels a running exchange."""
        if self._exchanging is not None:
            self._exchanging.cancel()
            with suppress(asyncio.CancelledError, MedConnectError):
                await self._exchanging

    async def _await_exchange(self) -> None:
        """Waits for the single running exchange; it continues if a waiting call is cancelled."""
        if self._exchanging is None or self._exchanging.done():
            self._exchanging = asyncio.create_task(self._exchange_tokens())
            self._exchanging.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await asyncio.shield(self._exchanging)
        except MedConnectError as error:
            raise type(error)(error.failure) from error  # each waiting call gets an exception of its own

    async def _exchange_tokens(self) -> None:
        """Exchanges the tokens, or loads those that another program with the same store has received meanwhile."""
        mine = self._present()
        async with self._store.exclusive():
            kept = self._store.load()
            if kept is None or kept.refresh_token == mine.refresh_token:
                kept = await self._exchange_for(mine.refresh_token)
        self._store_tokens(kept)

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

    def _store_tokens(self, tokens: Tokens) -> None:
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
