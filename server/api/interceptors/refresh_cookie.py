"""Browsers' refresh tokens: clients that send a header get them in a cookie that no script can read, not in the body.

The header keeps other sites out: no form sends one, and CORS does not allow this one to pages of other origins. Without
it cookies are neither read nor written.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from google.protobuf.message import DecodeError
from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect.auth.v1 import second_factor_pb2

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.api.interceptors.contract import Method
from server.errors import RefreshTokenInvalid

HEADER: Final = "x-refresh-cookie"
ASKED: Final = "true"
COOKIE: Final = "medconnect_refresh"
"""The cookie's name without TLS. Over TLS, sessions opened under this name continue; the next response replaces it."""
PATH: Final = "/api/v1/auth"
"""The path below which browsers send that cookie."""
HOST_COOKIE: Final = f"__Host-{COOKIE}"
"""The cookie's name over TLS. Browsers accept a name with this prefix only from the host itself and over TLS, so no
neighbouring host can plant one (RFC 6265bis, 4.1.3.2). The prefix requires the path `/`; on other paths the edge drops
cookies."""
CLEARED: Final = '"cache", "storage"'
"""The data of this origin that browsers delete at sign-out. `"cookies"` is not included: it would delete those of all
hosts of the domain, and this cookie is deleted separately."""

_SERVICE: Final = "/medconnect.auth.v1.AuthService"
_REFRESH: Final = f"{_SERVICE}/RefreshToken"
_LOGOUT: Final = f"{_SERVICE}/Logout"
_Answer = pb.RegisterResponse | pb.LoginResponse | second_factor_pb2.CompleteSignInResponse | pb.RefreshTokenResponse
_ANSWERS: Final[Mapping[str, type[_Answer]]] = {
    f"{_SERVICE}/Register": pb.RegisterResponse,
    f"{_SERVICE}/Login": pb.LoginResponse,
    "/medconnect.auth.v1.SecondFactorService/CompleteSignIn": second_factor_pb2.CompleteSignInResponse,
    _REFRESH: pb.RefreshTokenResponse,
}
"""The responses of these calls, which hold an account and its refresh token."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class RefreshCookie(Interceptor):
    """Puts the cookie's token into the request, and the response's token into the cookie, for as long as it lives.

    secure: true if browsers reach this instance only over TLS, and must not send the cookie without it.
    """

    def __init__(self, *, secure: bool) -> None:
        plain = f"Path={PATH}; HttpOnly; SameSite=Strict"
        host = "Path=/; HttpOnly; SameSite=Strict; Secure"
        self._attributes = {HOST_COOKIE: host, COOKIE: f"{plain}; Secure"} if secure else {COOKIE: plain}

    def concerns(self, method: Method) -> bool:
        """Returns whether the method opens, continues or ends a session."""
        return method.path in _ANSWERS or method.path == _LOGOUT

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Proceeds; raises RefreshTokenInvalid for a refresh without any token.

        The cookie ends with its session: at Logout, and when its token is refused.
        """
        if not call.rest or call.first(HEADER) != ASKED:
            await proceed(call)
            return
        try:
            if call.method.path == _REFRESH:
                self._fill_in(call)
            await proceed(call)
        except RefreshTokenInvalid:
            self._set(call, "", timedelta(0))
            raise
        if call.method.path == _LOGOUT:
            self._set(call, "", timedelta(0))
            call.headers["clear-site-data"] = CLEARED
        elif call.reply is not None:
            answer = _ANSWERS[call.method.path].FromString(call.reply)
            self._set(call, answer.refresh_token, timedelta(seconds=answer.idle_seconds))
            answer.ClearField("refresh_token")
            call.reply = answer.SerializeToString()

    def _set(self, call: Call, token: str, age: timedelta) -> None:
        """Sets the cookie under its current name, and deletes the call's cookie under the previous name."""
        present, *former = self._attributes
        replaced = (self._written(name, "", timedelta(0)) for name in former if _values(call, name))
        call.cookies = (self._written(present, token, age), *replaced)

    def _written(self, name: str, token: str, age: timedelta) -> str:
        return f"{name}={token}; Max-Age={int(age.total_seconds())}; {self._attributes[name]}"

    def _fill_in(self, call: Call) -> None:
        """Inserts the cookie's token before the body: of a repeated field the last value counts, the body's own."""
        token = self._token(call)
        if token:
            call.body = pb.RefreshTokenRequest(refresh_token=token).SerializeToString() + call.body
        elif not _names_token(call.body):
            raise RefreshTokenInvalid()

    def _token(self, call: Call) -> str:
        """Returns the token in the call's one cookie; empty if there is none, more than one, or no valid token.

        Only the first name that the call has counts.
        """
        found = next(filter(None, (_values(call, name) for name in self._attributes)), [])
        return found[0] if len(found) == 1 and _TOKEN.fullmatch(found[0]) else ""


def _names_token(body: bytes) -> bool:
    try:
        return bool(pb.RefreshTokenRequest.FromString(body).refresh_token)
    except DecodeError:  # validation refuses the body
        return True


def _values(call: Call, name: str) -> list[str]:
    """Returns the values of the call's cookies of that name."""
    cookies = "; ".join(value for value in call.values("cookie") if isinstance(value, str))
    pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
    return [value for found, _, value in pairs if found == name]
