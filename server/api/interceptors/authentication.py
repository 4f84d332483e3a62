"""Identifies the caller and refuses nobody: a bad token is no token, and access decides what that means."""

from typing import Final

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.auth.tokens.access_tokens import AccessTokens
from server.errors import Unauthenticated
from server.identity import Caller, set_caller

SCHEME: Final = "bearer"


class Authentication:
    """Reads the one `authorization` value of the call."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Fill in `caller` if a valid access token came with the call."""
        call.caller = self.caller(call)
        if call.caller is not None:
            set_caller(call.caller)
        await proceed(call)

    def caller(self, call: Call) -> Caller | None:
        """Whom the call's token names, now; None without a token that is valid."""
        scheme, _, token = (call.first("authorization") or "").partition(" ")
        if scheme.lower() != SCHEME:
            return None
        try:
            return self._tokens.verify(token)
        except Unauthenticated:
            return None
