"""The asynchronous client: connects, signs in, and offers the services."""

from collections.abc import Callable
from typing import Final, Self

from medconnect.auth.v1 import auth_service_pb2, second_factor_pb2

from medconnect_client._auth import AsyncAuth
from medconnect_client._calls import Calls, Progress, Wire
from medconnect_client._channel import Tls, open_channel
from medconnect_client._clinical import AsyncClinical
from medconnect_client._clock import Clock
from medconnect_client._events import AsyncEvents
from medconnect_client._organisations import AsyncOrganisations
from medconnect_client._pharmacy import AsyncPharmacy
from medconnect_client._retry import RetryBudget, RetryPolicy
from medconnect_client._second_factors import AsyncSecondFactors
from medconnect_client._session import Session
from medconnect_client._tokens import MemoryTokens, Tokens, TokenStore
from medconnect_client._wire import read
from medconnect_client.models import User

REFRESH_SECONDS: Final = 8.0
"""Below the ten seconds in which the server returns the same tokens for a repeated exchange of a refresh token."""


def unwatched(_: Progress) -> None:
    """Ignores the progress of calls; the default observer."""


def always_attended() -> bool:
    """Returns True: a person uses the client, which is the default."""
    return True


class AsyncClient:
    """An asynchronous client for MedConnect; `Client` is its blocking version.

    address: `host:port` of the gRPC server. tls: TLS settings; without them the connection is plaintext to this
    machine and uses TLS with the system's certificate authorities to any other. tokens: the store that keeps the
    session; by default the client's memory. retry: how failed calls are retried. timeout: seconds that a call may
    take, including all retries. attempt_timeout: seconds after which an attempt without a response is retried.
    observer: called with the `Progress` of each call. attended: called at each refresh of the tokens; returns whether a
    person has acted since the last one, because a session ends after some time without a person. clock: the source of
    time; tests pass their own.
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
        attended: Callable[[], bool] = always_attended,
        clock: Clock | None = None,
    ) -> None:
        self._channel = open_channel(address, tls)
        self._attended = attended
        clock = clock or Clock()
        wire = Wire(
            self._channel, retry or RetryPolicy(), clock, timeout, attempt_timeout, observer, budget=RetryBudget()
        )
        self._public = Calls(wire)
        self._session = Session(self._exchange, tokens or MemoryTokens(), clock)
        calls = Calls(wire, self._session)
        self._calls = calls
        self._auth = AsyncAuth(calls, self._session)
        self._second_factors = AsyncSecondFactors(calls)
        self._organisations = AsyncOrganisations(calls, self._session)
        self._clinical = AsyncClinical(calls)
        self._pharmacy = AsyncPharmacy(calls)
        self._events = AsyncEvents(calls)

    @property
    def auth(self) -> AsyncAuth:
        """Calls about accounts."""
        return self._auth

    @property
    def second_factors(self) -> AsyncSecondFactors:
        """Calls about second factors."""
        return self._second_factors

    @property
    def organisations(self) -> AsyncOrganisations:
        """Calls about hospitals and pharmacies, and their members."""
        return self._organisations

    @property
    def clinical(self) -> AsyncClinical:
        """Calls about patients, visits, prescriptions and QR codes."""
        return self._clinical

    @property
    def pharmacy(self) -> AsyncPharmacy:
        """Calls for scanning, claiming and dispensing."""
        return self._pharmacy

    @property
    def events(self) -> AsyncEvents:
        """Calls about the email queue."""
        return self._events

    @property
    def signed_in(self) -> bool:
        """True if the client has the tokens of a session."""
        return self._session.signed_in

    async def sign_in(self, email: str, password: str) -> User:
        """Signs in. Raises InvalidCredentials, RateLimitExceeded after too many failures, and SecondFactorRequired.

        The last one contains the challenge for `complete_sign_in`, if the account has a second factor.
        """
        request = auth_service_pb2.LoginRequest(email=email, password=password)
        answer = await self._public.unary(request, auth_service_pb2.LoginResponse)
        self._session.begin(read(Tokens, answer))
        return read(User, answer.user)

    async def complete_sign_in(self, challenge: str, code: str) -> User:
        """Signs in with the challenge of SecondFactorRequired and a code.

        code: the six digits of the authenticator app, or a recovery code. Raises SecondFactorInvalid, Unauthenticated
        for an expired challenge, and RateLimitExceeded after too many failures.
        """
        request = second_factor_pb2.CompleteSignInRequest(challenge=challenge, code=code)
        answer = await self._public.unary(request, second_factor_pb2.CompleteSignInResponse)
        self._session.begin(read(Tokens, answer))
        return read(User, answer.user)

    async def sign_out(self) -> None:
        """Ends the session and deletes its tokens, even if the server does not respond (the session then expires)."""
        try:
            await self._calls.unary(auth_service_pb2.LogoutRequest(), auth_service_pb2.LogoutResponse)
        finally:
            self._session.end()

    async def close(self) -> None:
        """Closes the connection; the session stays open."""
        await self._session.close()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _exchange(self, refresh_token: str) -> Tokens:
        unattended = None if self._attended() else True
        request = auth_service_pb2.RefreshTokenRequest(refresh_token=refresh_token, unattended=unattended)
        calls = self._public.within(REFRESH_SECONDS)
        return read(Tokens, await calls.unary(request, auth_service_pb2.RefreshTokenResponse, repeatable=True))
