"""Identifies the caller and refuses no call: an invalid token counts as none, and `access` decides on the call."""

from typing import Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.auth.tokens.access_tokens import AccessTokens
from server.errors import Unauthenticated
from server.identity import Caller, set_caller

SCHEME: Final = "bearer"


class Authentication(Interceptor):
    """Reads the one `authorization` value of the call."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Sets `caller` if the call has a valid access token."""
        call.caller = self.caller(call)
        if call.caller is not None:
            set_caller(call.caller)
        await proceed(call)

    def caller(self, call: Call) -> Caller | None:
        """Returns the caller that the call's token names, now; None without a valid token."""
        scheme, _, token = (call.first("authorization") or "").partition(" ")
        if scheme.lower() != SCHEME:
            return None
        try:
            return self._tokens.verify(token)
        except Unauthenticated:
            return None
