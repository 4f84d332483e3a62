"""What makes a blocking face of an asynchronous one: each method is the same method, run elsewhere and waited for.

There is one implementation. A blocking class names the methods that it shows, a line each; types and docstrings come
along. The event loop runs in a thread of its own, one for all blocking clients of the process.
"""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

A = TypeVar("A")
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
            LOOP.run(_closed(steps))

    functools.update_wrapper(call, method)
    return call


async def _closed(steps: AsyncIterator[Any]) -> None:
    close = getattr(steps, "aclose", None)
    if close is not None:
        await close()
