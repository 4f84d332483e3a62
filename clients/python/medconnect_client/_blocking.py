"""What makes a blocking face of an asynchronous one: each method is the same method, run elsewhere and waited for.

There is one implementation. A blocking class names the methods that it shows, a line each; types and docstrings come
along. The event loop runs in a thread of its own, one for all blocking clients of the process.
"""

import asyncio
import functools
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")
R = TypeVar("R")


class Loop:
    """An event loop in a thread, which starts with the first work and ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run it there and wait; an interrupted wait cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it there without waiting: who is collected as garbage, or when the process ends, waits for nobody."""
        if sys.is_finalizing():
            work.close()
        else:
            asyncio.run_coroutine_threadsafe(work, self._running())

    def call(self, function: Callable[[], R]) -> R:
        """Call a function there: what is made inside belongs to the loop."""

        async def called() -> R:
            return function()

        return self.run(called())

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="medconnect-client", daemon=True).start()
            return self._loop


LOOP: Final = Loop()


class Blocking(Generic[A]):
    """A blocking face; `_asynchronous` is what it shows."""

    def __init__(self, asynchronous: A) -> None:
        self._asynchronous = asynchronous


def blocking(method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[Blocking[A], P], R]:
    """The same method, waited for."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return LOOP.run(method(self._asynchronous, *args, **kwargs))

    functools.update_wrapper(call, method)
    return call


def iterating(
    method: Callable[Concatenate[A, P], AsyncIterator[R]],
) -> Callable[Concatenate[Blocking[A], P], Iterator[R]]:
    """The same iterator; each step is waited for."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        steps = method(self._asynchronous, *args, **kwargs)
        end = object()

        async def step() -> Any:  # noqa: ANN401 - an element, or the end
            return await anext(steps, end)

        try:
            while (found := LOOP.run(step())) is not end:
                yield found
        finally:
            LOOP.start(_closed(steps))

    functools.update_wrapper(call, method)
    return call


class Entered(Generic[A, B]):
    """A block: entered and left elsewhere, and waited for; what it gives is shown as `face`."""

    def __init__(self, block: AbstractAsyncContextManager[A], face: Callable[[A], B]) -> None:
        self._block = block
        self._face = face

    def __enter__(self) -> B:
        return self._face(LOOP.run(_entered(self._block)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        LOOP.run(_left(self._block, kind, error, traceback))


async def _entered(block: AbstractAsyncContextManager[A]) -> A:
    return await block.__aenter__()


async def _left(block: AbstractAsyncContextManager[Any], *raised: Any) -> None:  # noqa: ANN401 - an exception's parts
    await block.__aexit__(*raised)


async def _closed(steps: AsyncIterator[Any]) -> None:
    close = getattr(steps, "aclose", None)
    if close is not None:
        await close()
