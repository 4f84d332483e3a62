"""Wraps every handler, unary and streaming, and defines the interface of an interceptor."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import quote

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from server.api.interceptors.call import Call, Context
from server.api.interceptors.contract import Method, unknown_method
from server.errors import MethodUnknown, SlowConsumer

HTTP_OK: Final = 200
READ_SECONDS: Final = 30.0
"""How long a client may stop reading a stream whose send buffer is full."""
GONE_SECONDS: Final = 5.0
"""The time within which gRPC cancels a call whose client has disconnected."""

Next = Callable[[Call], Coroutine[Any, Any, None]]
"""The rest of the chain, down to the handler."""


class Interceptor(Protocol):
    """Makes one decision about a call: `intercept` proceeds, or raises a declared error to refuse the call.

    Interceptors are plain coroutines: as async context managers the chain would cost three times as much.
    """

    def concerns(self, method: Method) -> bool:
        """Returns whether the interceptor has anything to decide for calls of this method; if not, they skip it."""
        return True

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Runs the rest of the chain by `proceed`; errors of the handler pass through here."""
        ...


class InterceptorChain(grpc.aio.ServerInterceptor):
    """Wraps each handler once in all interceptors, outermost first.

    The wrappers work on raw bytes: nothing is parsed before the caller is identified and admitted. They read the one
    message of every call themselves: gRPC would wait for it before any interceptor runs, without a limit, while the
    call holds a slot.

    open_methods: methods without a caller (health, reflection), wrapped by `for_open_methods` alone.
    """

    def __init__(
        self,
        interceptors: Sequence[Interceptor],
        methods: Mapping[str, Method],
        open_methods: frozenset[str],
        for_open_methods: Sequence[Interceptor],
    ) -> None:
        self._interceptors = interceptors
        self._methods = methods
        self._open = open_methods
        self._for_open_methods = for_open_methods
        self._wrapped: dict[str, grpc.RpcMethodHandler[bytes, bytes] | None] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401 - the handler's types differ by method
        """Returns the wrapped handler of a method; gRPC calls this for each call."""
        path = handler_call_details.method
        known = self._wrapped.get(path)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if path in self._open:
            wrapped = None if handler is None else self._wrap_open(unknown_method(path), handler)
        else:
            wrapped = self._wrap(self._methods.get(path) or unknown_method(path), handler)
        if path in self._methods or path in self._open:  # other names are chosen by callers and would fill the memory
            self._wrapped[path] = wrapped
        return wrapped

    def _wrap(self, method: Method, handler: Any) -> Any:  # noqa: ANN401
        if handler is not None and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._stream(method, handler))
        return grpc.stream_unary_rpc_method_handler(self._unary(method, handler))

    def _wrap_open(self, method: Method, handler: Any) -> Any:  # noqa: ANN401
        if handler.request_streaming:
            return handler

        async def handle(call: Call) -> None:
            serve = handler.unary_stream or handler.unary_unary
            call.reply = await serve(_tolerant(handler.request_deserializer, call.body), call.context)

        surrounded = _surround(method, handle, self._for_open_methods)

        async def answer(_: object, context: Context) -> Any:  # noqa: ANN401 - grpc serializes what the handler answers
            call = Call(method, context, _request_id())
            await surrounded(call)
            return call.reply

        shell = grpc.stream_stream_rpc_method_handler if handler.unary_stream else grpc.stream_unary_rpc_method_handler
        return shell(answer, response_serializer=handler.response_serializer)

    def _unary(self, method: Method, handler: Any) -> Callable[[object, Context], Awaitable[bytes | None]]:  # noqa: ANN401
        async def handle(call: Call) -> None:
            if handler is None:
                raise MethodUnknown()
            if call.reply is None:
                call.reply = handler.response_serializer(await handler.unary_unary(call.message, call.context))

        surrounded = _surround(method, handle, self._interceptors)

        async def answer(_: object, context: Context) -> bytes | None:
            call = Call(method, context, _request_id())
            await surrounded(call)
            await _send_headers(call)
            return call.reply

        return answer

    def _stream(self, method: Method, handler: Any) -> Callable[[object, Context], Awaitable[None]]:  # noqa: ANN401
        # Messages are written, because the garbage collector closes an unread generator only some time later.
        async def handle(call: Call) -> None:
            async with aclosing(handler.unary_stream(call.message, call.context)) as responses:
                begun = False
                async for response in responses:
                    if (
                        not begun
                    ):  # not earlier: the edge can return a refusal as an error only if nothing was sent before
                        await call.context.send_initial_metadata(call.sent_headers())
                        begun = True
                    await _write(call, handler.response_serializer(response))

        surrounded = _surround(method, handle, self._interceptors)

        async def answer(_: object, context: Context) -> None:
            await surrounded(Call(method, context, _request_id()))

        return answer


def _surround(method: Method, handle: Next, interceptors: Sequence[Interceptor]) -> Next:
    """Returns the handler inside the interceptors that concern its method."""
    for interceptor in reversed(interceptors):
        if interceptor.concerns(method):
            handle = partial(interceptor.intercept, proceed=handle)
    return handle


async def _write(call: Call, message: bytes) -> None:
    """Sends a message of a stream, waiting while the client does not read. Raises SlowConsumer after READ_SECONDS."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            await call.context.write(message)
    except TimeoutError:
        raise SlowConsumer() from None
    except grpc.aio.InternalError:
        # Nothing can be sent to a client that has disconnected. gRPC cancels this task for it, but may report it
        # before.
        await asyncio.sleep(GONE_SECONDS)
        raise


def _tolerant(read: Callable[[bytes], Any], body: bytes) -> Any:  # noqa: ANN401 - the message's type differs by method
    """Returns the message of an open method; an unreadable body counts as an empty one."""
    try:
        return read(body)
    except DecodeError:
        return read(b"")


def _request_id() -> str:
    return secrets.token_hex(8)


async def _send_headers(call: Call) -> None:
    """Sends the headers as the kind of metadata that their reader expects.

    The edge reads initial metadata; sending it costs 60 µs, so gRPC clients get trailing metadata.
    """
    if not call.rest:
        call.context.set_trailing_metadata(call.sent_headers())
        return
    if call.method.message:
        call.headers["x-message"] = quote(call.method.message)
    if call.method.http_status != HTTP_OK:
        call.headers["x-http-code"] = str(call.method.http_status)
    await call.context.send_initial_metadata(call.sent_headers())
