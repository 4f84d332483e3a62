"""Browsers' refresh tokens: who asks for it by a header gets them in a cookie that no script reads, and out of no body.

The header keeps other sites out: no form sends one, and CORS does not allow this one to pages of other origins. Without
it cookies are neither read nor written.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from medconnect.auth.v1 import auth_service_pb2 as pb

from server.auth.lifetimes import Lifetimes
from server.auth.mapping import ROLES
from server.errors import RefreshTokenInvalid
from server.interceptors.base import Proceed
from server.interceptors.call import Call

HEADER: Final = "x-refresh-cookie"
ASKED: Final = "true"
COOKIE: Final = "medconnect_refresh"
PATH: Final = "/api/v1/auth"
"""Browsers send the cookie below this path only."""

_SERVICE: Final = "/medconnect.auth.v1.AuthService"
_REFRESH: Final = f"{_SERVICE}/RefreshToken"
_LOGOUT: Final = f"{_SERVICE}/Logout"
_ANSWERS: Final[Mapping[str, type[pb.RegisterResponse | pb.LoginResponse | pb.RefreshTokenResponse]]] = {
    f"{_SERVICE}/Register": pb.RegisterResponse,
    f"{_SERVICE}/Login": pb.LoginResponse,
    _REFRESH: pb.RefreshTokenResponse,
}
"""What these calls answer: each holds an account and its refresh token."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class RefreshCookie:
    """Puts the cookie's token into the request, and the answer's token into the cookie.

    lifetimes: how long an unused token lives, and its cookie with it.
    secure: browsers reach this instance over TLS only, and shall send the cookie over nothing else.
    """

    def __init__(self, lifetimes: Lifetimes, *, secure: bool) -> None:
        self._lifetimes = lifetimes
        self._attributes = f"Path={PATH}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")

    async def around(self, call: Call, proceed: Proceed) -> None:
        """Let the call on; raise RefreshTokenInvalid for a refresh that brings no token at all.

        The cookie ends with its session: at Logout, and when its token is refused.
        """
        if not call.rest or call.first(HEADER) != ASKED:
            await proceed(call)
            return
        try:
            if call.method.path == _REFRESH:
                _fill_in(call)
            await proceed(call)
        except RefreshTokenInvalid:
            self._set(call, "", timedelta(0))
            raise
        if call.method.path == _LOGOUT:
            self._set(call, "", timedelta(0))
        elif call.method.path in _ANSWERS and call.reply is not None:
            answer = _ANSWERS[call.method.path].FromString(call.reply)
            self._set(call, answer.refresh_token, self._lifetimes.of(ROLES[answer.user.role]).idle)
            answer.ClearField("refresh_token")
            call.reply = answer.SerializeToString()

    def _set(self, call: Call, token: str, age: timedelta) -> None:
        call.headers["set-cookie"] = f"{COOKIE}={token}; Max-Age={int(age.total_seconds())}; {self._attributes}"


def _fill_in(call: Call) -> None:
    """Write the cookie's token before the body: of a field that comes twice the last one counts, the body's own."""
    token = _token(call)
    if token:
        call.body = pb.RefreshTokenRequest(refresh_token=token).SerializeToString() + call.body
    elif not call.body:
        raise RefreshTokenInvalid()


def _token(call: Call) -> str:
    """The token in the call's one cookie of that name; empty if there is none, several, or what is no token."""
    cookies = "; ".join(value for value in call.metadata.get("cookie", ()) if isinstance(value, str))
    pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
    found = [value for name, _, value in pairs if name == COOKIE]
    return found[0] if len(found) == 1 and _TOKEN.fullmatch(found[0]) else ""
