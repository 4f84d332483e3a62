"""The client: connects, signs in, and holds the four services."""

from collections.abc import Callable
from typing import Final, Self

from medconnect.auth.v1 import auth_service_pb2

from medconnect_client._auth import AsyncAuth
from medconnect_client._calls import Calls, Progress, Wire
from medconnect_client._channel import Tls, open_channel
from medconnect_client._clinical import AsyncClinical
from medconnect_client._clock import Clock
from medconnect_client._events import AsyncEvents
from medconnect_client._pharmacy import AsyncPharmacy
from medconnect_client._retry import RetryBudget, RetryPolicy
from medconnect_client._session import Session
from medconnect_client._tokens import MemoryTokens, Tokens, TokenStore
from medconnect_client._wire import read
from medconnect_client.models import User

REFRESH_SECONDS: Final = 8.0
"""The server answers a repeated exchange of the same token for ten seconds."""


def unwatched(_: Progress) -> None:
    """Nobody watches."""


class AsyncClient:
    """MedConnect, called with `await`; `Client` is the same without.

    address: where gRPC listens, `host:port`. tls: how the connection is secured; left out, it
    is plain on this machine and trusts the system's authorities elsewhere.
    tokens: where the session is kept; as long as the client lives, if left out. timeout: seconds that a call may take,
    with all its repetitions. attempt_timeout: seconds after which an attempt without an answer is made again.
    observer: told what each call is doing, for those who show it.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | None = None,
        tokens: TokenStore | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = 15.0,
        attempt_timeout: float = 5.0,
        observer: Callable[[Progress], None] = unwatched,
        clock: Clock | None = None,
    ) -> None:
        self._channel = open_channel(address, tls)
        clock = clock or Clock()
        wire = Wire(
            self._channel, retry or RetryPolicy(), clock, timeout, attempt_timeout, observer, budget=RetryBudget()
        )
        self._public = Calls(wire)
        self._session = Session(self._exchange, tokens or MemoryTokens(), clock)
        calls = Calls(wire, self._session)
        self._calls = calls
        self._auth = AsyncAuth(calls, self._session)
        self._clinical = AsyncClinical(calls)
        self._pharmacy = AsyncPharmacy(calls)
        self._events = AsyncEvents(calls)

    @property
    def auth(self) -> AsyncAuth:
        """Accounts."""
        return self._auth

    @property
    def clinical(self) -> AsyncClinical:
        """Patients, visits, prescriptions, QR codes."""
        return self._clinical

    @property
    def pharmacy(self) -> AsyncPharmacy:
        """Scanning, claiming, dispensing."""
        return self._pharmacy

    @property
    def events(self) -> AsyncEvents:
        """The mail queue."""
        return self._events

    @property
    def signed_in(self) -> bool:
        """Whether there is a session to call with."""
        return self._session.signed_in

    async def sign_in(self, email: str, password: str) -> User:
        """Open a session. Raises InvalidCredentials, RateLimitExceeded after too many failures."""
        request = auth_service_pb2.LoginRequest(email=email, password=password)
        answer = await self._public.unary(request, auth_service_pb2.LoginResponse)
        self._session.begin(read(Tokens, answer))
        return read(User, answer.user)

    async def sign_out(self) -> None:
        """End the session and forget its tokens, also where the server does not answer (then it ends by itself)."""
        try:
            await self._calls.unary(auth_service_pb2.LogoutRequest(), auth_service_pb2.LogoutResponse)
        finally:
            self._session.end()

    async def close(self) -> None:
        """Close the connection; the session stays open."""
        await self._session.close()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _exchange(self, refresh_token: str) -> Tokens:
        request = auth_service_pb2.RefreshTokenRequest(refresh_token=refresh_token)
        calls = self._public.within(REFRESH_SECONDS)
        return read(Tokens, await calls.unary(request, auth_service_pb2.RefreshTokenResponse, repeatable=True))
