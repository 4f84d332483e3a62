"""Makes calls: adds access token, deadline and idempotency key, and retries."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from medconnect_client._clock import Clock
from medconnect_client._contract import Method, method_of
from medconnect_client._retry import (
    RetryBudget,
    RetryPolicy,
    is_passing,
    may_repeat,
    outcome_unknown,
    proves_not_applied,
)
from medconnect_client._status import to_error
from medconnect_client._wire import read
from medconnect_client.errors import Failure, MedConnectError, Unauthenticated, Unavailable

R = TypeVar("R", bound=Message)
M = TypeVar("M")

KEY_HEADER: Final = "idempotency-key"
KEY_BYTES: Final = 24
REFUSED_SECONDS: Final = 0.5
"""How many seconds an attempt waits for a server that refuses connections."""
SILENCE_SECONDS: Final = 60.0
"""Seconds without a message after which a stream counts as broken; the server sends a heartbeat every 20 s."""


class Credentials(Protocol):
    """A source of access tokens."""

    async def token(self) -> str:
        """Returns a valid access token."""
        ...

    async def renewed(self, refused: str) -> str:
        """Returns a new access token in place of one that the server rejected."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a call, for programs that show it to their user."""

    method: str
    """The RPC, such as `ScanQrCode`."""
    attempt: int
    """The number of the current attempt, from 1."""
    attempts: int
    """The most attempts that the retry policy allows."""
    reachable: bool
    """False after an attempt that failed because the server was unavailable."""
    waiting: float | None = None
    """Seconds until the next attempt; None while an attempt is running."""
    error: MedConnectError | None = None
    """The failure of the previous attempt."""


Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Wire:
    """The connection and the settings that all calls of a client share."""

    channel: grpc.aio.Channel
    policy: RetryPolicy
    clock: Clock
    timeout: float
    """Seconds that a call may take, including retries and waits."""
    attempt_timeout: float
    """Seconds after which an attempt without a response is abandoned and retried."""
    observer: Observer
    budget: RetryBudget
    jitter: Callable[[], float] = secrets.SystemRandom().random
    """Returns a random number from 0 to 1."""


@dataclass(slots=True)
class _CallState:
    """The state of a call between its attempts."""

    method: Method
    ends_at: float
    key: str | None
    repeatable: bool
    attempt: int = 1
    sent: bool = False
    """Whether the current attempt was sent."""
    maybe_done: bool = False
    token: str | None = None
    refused: str | None = None
    """An access token that the server rejected."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        bearer = () if self.token is None else (("authorization", f"Bearer {self.token}"),)
        return bearer if self.key is None else (*bearer, (KEY_HEADER, self.key))


class Calls:
    """Makes calls; without credentials only to public methods."""

    def __init__(self, wire: Wire, credentials: Credentials | None = None) -> None:
        self._wire = wire
        self._credentials = credentials

    def within(self, timeout: float) -> "Calls":
        """Returns a copy with another timeout, in seconds."""
        return Calls(replace(self._wire, timeout=timeout), self._credentials)

    async def unary(
        self, request: Message, answer: type[R], *, key: str | None = None, repeatable: bool | None = None
    ) -> R:
        """Makes a call and returns its response.

        key: the idempotency key of a command; generated if omitted. repeatable: whether the call is safe to repeat;
        overrides what the contract states. Raises MedConnectError.
        """
        method = method_of(request.DESCRIPTOR.full_name)
        state = _CallState(
            method,
            ends_at=self._wire.clock.monotonic() + self._wire.timeout,
            key=(key or secrets.token_urlsafe(KEY_BYTES)) if method.keyed else None,
            repeatable=method.reads or method.keyed if repeatable is None else repeatable,
        )
        while True:
            try:
                response = await self._attempt(state, request, answer)
            except MedConnectError as error:
                await self._after_failure(state, error)
            else:
                self._wire.budget.succeeded()
                return response

    async def pages(self, request: Any, answer: type[R]) -> AsyncIterator[R]:  # noqa: ANN401 - any list's request
        """Yields the pages of a list; fetches each one when the previous one has been consumed."""
        while True:
            page: Any = await self.unary(request, answer)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def listed(self, request: Message, answer: type[R], model: type[M]) -> AsyncIterator[M]:
        """Yields every entry of a list, page after page."""
        (entries,) = (field.name for field in answer.DESCRIPTOR.fields if field.is_repeated and field.message_type)
        async for page in self.pages(request, answer):
            for entry in getattr(page, entries):
                yield read(model, entry)

    async def watch(self, request_after: Callable[[R | None], Message], answer: type[R]) -> AsyncGenerator[R, None]:
        """Yields the messages of a stream and reopens it whenever it breaks.

        request_after: returns the request that resumes after a message (None: from the start). Raises MedConnectError
        if the server rejects the request, or cannot be reached again within the policy's attempts.
        """
        last: R | None = None
        state = self._stream_state(request_after(None))
        while True:
            try:
                async with aclosing(self._open_stream(state, request_after(last), answer)) as messages:
                    async for message in messages:
                        state.attempt, state.refused = 1, None
                        last = message
                        yield message
            except MedConnectError as error:
                await self._after_failure(state, error)

    def _stream_state(self, request: Message) -> _CallState:
        return _CallState(method_of(request.DESCRIPTOR.full_name), ends_at=float("inf"), key=None, repeatable=True)

    async def _open_stream(self, state: _CallState, request: Message, answer: type[R]) -> AsyncGenerator[R, None]:
        """Yields the messages of one stream. Raises MedConnectError when the stream ends, for any reason."""
        await self._prepare_call(state)
        multicallable = self._wire.channel.unary_stream(
            state.method.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        call = multicallable(request, metadata=state.metadata)
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = await call.read()
                if not isinstance(message, answer):
                    raise Unavailable(Failure("The stream has ended."))
                yield message
        except grpc.aio.AioRpcError as failed:
            raise to_error(failed) from None
        except TimeoutError:
            raise Unavailable(Failure("The stream stopped sending messages.")) from None
        finally:
            call.cancel()

    async def _attempt(self, state: _CallState, request: Message, answer: type[R]) -> R:
        await self._prepare_call(state)
        left = state.ends_at - self._wire.clock.monotonic()
        multicallable = self._wire.channel.unary_unary(
            state.method.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        seconds = max(0.0, min(left, self._wire.attempt_timeout))
        try:
            return await multicallable(request, metadata=state.metadata, timeout=seconds)
        except grpc.aio.AioRpcError as failed:
            raise to_error(failed) from None

    async def _prepare_call(self, state: _CallState) -> None:
        """Connects and gets an access token; an attempt that fails here was never sent."""
        state.sent = False
        self._tell(state)
        await self._await_connection()
        if self._credentials is not None and not state.method.public:
            if state.refused is not None and state.token is None:
                state.token = await self._credentials.renewed(state.refused)
            elif state.token is None:
                state.token = await self._credentials.token()
        state.sent = True

    async def _await_connection(self) -> None:
        """Waits for the connection, at most REFUSED_SECONDS once it is refused. Raises Unavailable."""
        channel, loop = self._wire.channel, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._wire.attempt_timeout) as limit:
                while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
                    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        limit.reschedule(min(limit.when() or 0.0, loop.time() + REFUSED_SECONDS))
                    await channel.wait_for_state_change(state)
        except TimeoutError:
            raise Unavailable(Failure("The server cannot be reached.")) from None

    async def _after_failure(self, state: _CallState, error: MedConnectError) -> None:
        """Waits before the next attempt, or raises the error if the call is not retried."""
        state.maybe_done = (state.maybe_done and not proves_not_applied(error)) or (
            state.sent and outcome_unknown(error) and not state.method.reads
        )
        error.maybe_done, error.idempotency_key = state.maybe_done, state.key
        if isinstance(error, Unauthenticated) and state.token is not None and state.refused is None:
            state.refused, state.token = state.token, None
            return
        if is_passing(error):
            self._wire.budget.failed()
        delay = max(self._wire.policy.delay(state.attempt, self._wire.jitter()), error.retry_after or 0.0)
        if not self._goes_on(state, error, delay):
            raise error
        self._tell(state, waiting=delay, error=error)
        await self._wire.clock.sleep(delay)
        state.attempt += 1
        state.token = state.refused = None  # the token may have expired during the wait

    def _goes_on(self, state: _CallState, error: MedConnectError, delay: float) -> bool:
        policy, budget = self._wire.policy, self._wire.budget
        in_time = self._wire.clock.monotonic() + delay < state.ends_at
        worth_it = budget.allows or not policy.throttled
        return (
            may_repeat(error, state.repeatable or not state.sent)
            and state.attempt < policy.attempts
            and in_time
            and worth_it
        )

    def _tell(self, state: _CallState, waiting: float | None = None, error: MedConnectError | None = None) -> None:
        self._wire.observer(
            Progress(
                method=state.method.name,
                attempt=state.attempt,
                attempts=self._wire.policy.attempts,
                reachable=not isinstance(error, Unavailable),
                waiting=waiting,
                error=error,
            )
        )
