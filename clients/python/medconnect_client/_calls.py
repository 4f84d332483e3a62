"""One call, made until it is answered: its token, its deadline, its key, its repetitions."""

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
from medconnect_client._retry import RetryBudget, RetryPolicy, is_passing, leaves_open, may_repeat, settles
from medconnect_client._status import to_error
from medconnect_client._wire import read
from medconnect_client.errors import Failure, MedConnectError, Unauthenticated, Unavailable

R = TypeVar("R", bound=Message)
M = TypeVar("M")

KEY_HEADER: Final = "idempotency-key"
KEY_BYTES: Final = 24
REFUSED_SECONDS: Final = 0.5
"""How long an attempt waits for a server that refuses connections."""
SILENCE_SECONDS: Final = 60.0
"""A stream that says nothing for so long is taken for dead; the server speaks every 20 s."""


class Credentials(Protocol):
    """Where access tokens come from."""

    async def token(self) -> str:
        """A token to call with."""
        ...

    async def renewed(self, refused: str) -> str:
        """Another one, instead of one that was refused."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What a call is doing, for those who watch it wait."""

    method: str
    """The RPC, such as `ScanQrCode`."""
    attempt: int
    """Which attempt this is, from 1."""
    attempts: int
    """How many there can be."""
    reachable: bool
    """Whether the server answers, as far as this call knows."""
    waiting: float | None = None
    """Seconds until the next attempt; None: the call is under way."""
    error: MedConnectError | None = None
    """Why the attempt before failed."""


Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Wire:
    """What every call of a client shares."""

    channel: grpc.aio.Channel
    policy: RetryPolicy
    clock: Clock
    timeout: float
    """Seconds that a call may take, repetitions and waits together."""
    attempt_timeout: float
    """Seconds after which an attempt without an answer is given up and made again."""
    observer: Observer
    budget: RetryBudget
    chance: Callable[[], float] = secrets.SystemRandom().random
    """Draws from 0 to 1, for jitter."""


@dataclass(slots=True)
class _Course:
    """How a call stands between its attempts."""

    method: Method
    ends_at: float
    key: str | None
    repeatable: bool
    attempt: int = 1
    sent: bool = False
    """Whether the present attempt left this program."""
    maybe_done: bool = False
    token: str | None = None
    refused: str | None = None
    """A token that the server did not take."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        bearer = () if self.token is None else (("authorization", f"Bearer {self.token}"),)
        return bearer if self.key is None else (*bearer, (KEY_HEADER, self.key))


class Calls:
    """Makes calls; without credentials only those that are public."""

    def __init__(self, wire: Wire, credentials: Credentials | None = None) -> None:
        self._wire = wire
        self._credentials = credentials

    def within(self, timeout: float) -> "Calls":
        """The same with another time for each call, in seconds."""
        return Calls(replace(self._wire, timeout=timeout), self._credentials)

    async def unary(
        self, request: Message, answer: type[R], *, key: str | None = None, repeatable: bool | None = None
    ) -> R:
        """Make a call and answer its response.

        key: the idempotency key of a command; drawn if left out. repeatable: whether the call can be made twice without
        harm, where that is not what the contract says. Raises MedConnectError.
        """
        method = method_of(request.DESCRIPTOR.full_name)
        course = _Course(
            method,
            ends_at=self._wire.clock.monotonic() + self._wire.timeout,
            key=(key or secrets.token_urlsafe(KEY_BYTES)) if method.keyed else None,
            repeatable=method.reads or method.keyed if repeatable is None else repeatable,
        )
        while True:
            try:
                response = await self._attempt(course, request, answer)
            except MedConnectError as error:
                await self._after_failure(course, error)
            else:
                self._wire.budget.succeeded()
                return response

    async def pages(self, request: Any, answer: type[R]) -> AsyncIterator[R]:  # noqa: ANN401 - any list's request
        """Each page of a list, fetched when the one before is used up."""
        while True:
            page: Any = await self.unary(request, answer)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def listed(self, request: Message, answer: type[R], model: type[M]) -> AsyncIterator[M]:
        """Every entry of a list, page after page."""
        (entries,) = (field.name for field in answer.DESCRIPTOR.fields if field.is_repeated and field.message_type)
        async for page in self.pages(request, answer):
            for entry in getattr(page, entries):
                yield read(model, entry)

    async def watch(self, request_after: Callable[[R | None], Message], answer: type[R]) -> AsyncGenerator[R, None]:
        """The messages of a stream, which is opened again whenever it breaks.

        request_after: the request that goes on after this message (None: from the start). Raises MedConnectError when
        the server refuses, or does not come back within the policy's attempts.
        """
        last: R | None = None
        course = self._stream_course(request_after(None))
        while True:
            try:
                async with aclosing(self._opened(course, request_after(last), answer)) as messages:
                    async for message in messages:
                        course.attempt, course.refused = 1, None
                        last = message
                        yield message
            except MedConnectError as error:
                await self._after_failure(course, error)

    def _stream_course(self, request: Message) -> _Course:
        return _Course(method_of(request.DESCRIPTOR.full_name), ends_at=float("inf"), key=None, repeatable=True)

    async def _opened(self, course: _Course, request: Message, answer: type[R]) -> AsyncGenerator[R, None]:
        """The messages of one connection. Raises MedConnectError when it ends, however it ends."""
        await self._prepared(course)
        multicallable = self._wire.channel.unary_stream(
            course.method.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        call = multicallable(request, metadata=course.metadata)
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
            raise Unavailable(Failure("The stream has gone silent.")) from None
        finally:
            call.cancel()

    async def _attempt(self, course: _Course, request: Message, answer: type[R]) -> R:
        await self._prepared(course)
        left = course.ends_at - self._wire.clock.monotonic()
        multicallable = self._wire.channel.unary_unary(
            course.method.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        seconds = max(0.0, min(left, self._wire.attempt_timeout))
        try:
            return await multicallable(request, metadata=course.metadata, timeout=seconds)
        except grpc.aio.AioRpcError as failed:
            raise to_error(failed) from None

    async def _prepared(self, course: _Course) -> None:
        """Connect, and get a token; what fails here was never sent."""
        course.sent = False
        self._tell(course)
        await self._connected()
        if self._credentials is not None and not course.method.public:
            if course.refused is not None and course.token is None:
                course.token = await self._credentials.renewed(course.refused)
            elif course.token is None:
                course.token = await self._credentials.token()
        course.sent = True

    async def _connected(self) -> None:
        """Wait for the connection, not long where it is refused. Raises Unavailable."""
        channel, loop = self._wire.channel, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._wire.attempt_timeout) as limit:
                while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
                    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        limit.reschedule(min(limit.when() or 0.0, loop.time() + REFUSED_SECONDS))
                    await channel.wait_for_state_change(state)
        except TimeoutError:
            raise Unavailable(Failure("The server cannot be reached.")) from None

    async def _after_failure(self, course: _Course, error: MedConnectError) -> None:
        """Wait before the next attempt, or raise the error if there shall be none."""
        course.maybe_done = (course.maybe_done and not settles(error)) or (
            course.sent and leaves_open(error) and not course.method.reads
        )
        error.maybe_done, error.idempotency_key = course.maybe_done, course.key
        if isinstance(error, Unauthenticated) and course.token is not None and course.refused is None:
            course.refused, course.token = course.token, None
            return
        if is_passing(error):
            self._wire.budget.failed()
        delay = max(self._wire.policy.delay(course.attempt, self._wire.chance()), error.retry_after or 0.0)
        if not self._goes_on(course, error, delay):
            raise error
        self._tell(course, waiting=delay, error=error)
        await self._wire.clock.sleep(delay)
        course.attempt += 1
        course.token = course.refused = None  # it may have ended meanwhile

    def _goes_on(self, course: _Course, error: MedConnectError, delay: float) -> bool:
        policy, budget = self._wire.policy, self._wire.budget
        in_time = self._wire.clock.monotonic() + delay < course.ends_at
        worth_it = budget.allows or not policy.throttled
        return (
            may_repeat(error, course.repeatable or not course.sent)
            and course.attempt < policy.attempts
            and in_time
            and worth_it
        )

    def _tell(self, course: _Course, waiting: float | None = None, error: MedConnectError | None = None) -> None:
        self._wire.observer(
            Progress(
                method=course.method.name,
                attempt=course.attempt,
                attempts=self._wire.policy.attempts,
                reachable=not isinstance(error, Unavailable),
                waiting=waiting,
                error=error,
            )
        )
