"""Blocking wrappers for asynchronous classes: each method runs on an event loop in another thread and is waited for.

There is one implementation. A blocking class lists the methods that it exposes, a line each; types and docstrings are
taken over. All blocking clients of the process share one event loop thread.
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
    """An event loop in a thread, started at first use; it ends with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Runs a coroutine on the loop and returns its result; an interrupted wait cancels the coroutine."""
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine on the loop without waiting, for finalizers; closes it if the interpreter is exiting."""
        if sys.is_finalizing():
            work.close()
        else:
            asyncio.run_coroutine_threadsafe(work, self._running())

    def call(self, function: Callable[[], R]) -> R:
        """Calls a function on the loop, so that the asyncio objects that it creates belong to the loop."""

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
    """Base class of the blocking wrappers; `_asynchronous` is the wrapped object."""

    def __init__(self, asynchronous: A) -> None:
        self._asynchronous = asynchronous


def blocking(method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[Blocking[A], P], R]:
    """Returns a blocking version of an asynchronous method."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return LOOP.run(method(self._asynchronous, *args, **kwargs))

    functools.update_wrapper(call, method)
    return call


def iterating(
    method: Callable[Concatenate[A, P], AsyncIterator[R]],
) -> Callable[Concatenate[Blocking[A], P], Iterator[R]]:
    """Returns a blocking version of a method that returns an asynchronous iterator."""

    def call(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        steps = method(self._asynchronous, *args, **kwargs)
        end = object()

        async def step() -> Any:  # noqa: ANN401 - an element, or the end
            return await anext(steps, end)

        try:
            while (found := LOOP.run(step())) is not end:
                yield found
        finally:
            LOOP.start(_close_iterator(steps))

    functools.update_wrapper(call, method)
    return call


class Entered(Generic[A, B]):
    """A blocking version of an asynchronous context manager; `face` wraps the value that it yields."""

    def __init__(self, block: AbstractAsyncContextManager[A], face: Callable[[A], B]) -> None:
        self._block = block
        self._face = face

    def __enter__(self) -> B:
        return self._face(LOOP.run(_enter_block(self._block)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        LOOP.run(_leave_block(self._block, kind, error, traceback))


async def _enter_block(block: AbstractAsyncContextManager[A]) -> A:
    return await block.__aenter__()


async def _leave_block(block: AbstractAsyncContextManager[Any], *raised: Any) -> None:  # noqa: ANN401 - an exception's parts
    await block.__aexit__(*raised)


async def _close_iterator(steps: AsyncIterator[Any]) -> None:
    close = getattr(steps, "aclose", None)
    if close is not None:
        await close()
