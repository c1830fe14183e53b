"""httpx and httpx2, sync and async, plain and streamed. The module is passed in: one file serves both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.context import begin_observing, end_observing, is_observed
from nbtokens.exchange import Address, Exchange, Observer, kept_headers
from nbtokens.guard import guarded
from nbtokens.transports.patch import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import ModuleType

MODULES = ("httpx", "httpx2")


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The methods that every request of the module's clients goes through."""
    hook = HttpxHook(module, observer)
    return [
        Target(module.Client, "send", hook.wrap_send),
        Target(module.AsyncClient, "send", hook.wrap_async_send),
    ]


class HttpxHook:
    """Observes the clients of one module."""

    def __init__(self, module: ModuleType, observer: Observer) -> None:
        self._module = module
        self._observer = observer
        self._sync_tee, self._async_tee = _sync_tee(module), _async_tee(module)

    def wrap_send(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`Client.send`, observed."""

        def send(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's types
            exchange = self._begin(request, kwargs)
            if exchange is None:
                return original(client, request, *args, **kwargs)
            token = begin_observing()
            try:
                response = original(client, request, *args, **kwargs)
            except BaseException as error:
                self._failed(exchange, error)
                raise
            finally:
                end_observing(token)
            self._answered(exchange, response, self._sync_tee)
            return response

        return send

    def wrap_async_send(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """`AsyncClient.send`, observed."""

        async def send(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's types
            exchange = self._begin(request, kwargs)
            if exchange is None:
                return await original(client, request, *args, **kwargs)
            token = begin_observing()
            try:
                response = await original(client, request, *args, **kwargs)
            except BaseException as error:
                self._failed(exchange, error)
                raise
            finally:
                end_observing(token)
            self._answered(exchange, response, self._async_tee)
            return response

        return send

    def _begin(self, request: Any, options: dict[str, Any]) -> Exchange | None:  # noqa: ANN401 - the client's types
        try:
            if is_observed():
                return None
            url = request.url
            address = Address(url.scheme, url.host, url.port, url.path)
            if not self._observer.wants(request.method, address):
                return None
            exchange = Exchange(
                request.method,
                address,
                request_body=getattr(request, "_content", None),  # `.content` raises for a stream; reading would eat it
                request_headers=kept_headers(request.headers.raw),
                streamed=bool(options.get("stream", False)),
            )
            self._observer.begin(exchange)
        except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
            guarded.note(error)
            return None
        return exchange

    def _failed(self, exchange: Exchange, error: BaseException) -> None:
        with guarded:
            exchange.error = type(error).__name__
            exchange.complete = False
            exchange.duration = exchange.elapsed()
            self._observer.observe(exchange)

    def _answered(self, exchange: Exchange, response: Any, tee: Any) -> None:  # noqa: ANN401 - the client's types
        try:
            exchange.status = response.status_code
            exchange.response_headers = kept_headers(response.headers.raw)
            if hasattr(response, "_content"):  # read already: `stream=False`, or by an event hook of the user's
                exchange.duration = exchange.elapsed()
                exchange.body = response.content
                self._observer.observe(exchange)
                return
            finish = _Finish(exchange, self._observer, self._module)
            # The client binds the transport's stream into one of its own, which keeps the time; its inside is
            # replaced, so that the response holds what it would hold without us.
            bound = response.stream
            if hasattr(bound, "_stream"):
                bound._stream = tee(bound._stream, finish)  # noqa: SLF001 - no public way into it
            else:
                response.stream = tee(bound, finish)
        except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
            guarded.note(error)


class _Finish:
    """Closes one streamed exchange, exactly once, however its stream comes to its end."""

    __slots__ = ("_done", "_exchange", "_module", "_observer", "body")

    def __init__(self, exchange: Exchange, observer: Observer, module: ModuleType) -> None:
        self._exchange = exchange
        self._observer = observer
        self._module = module
        self._done = False
        self.body = bytearray()

    def first(self, chunk: bytes) -> None:
        """The first bytes of the body have come."""
        if self._exchange.time_to_first_chunk is None:
            self._exchange.time_to_first_chunk = self._exchange.elapsed()
        self.body += chunk

    def ended(self) -> None:
        """The body was read to its end."""
        self._close(complete=True, error=None, later=False)

    def failed(self, error: BaseException) -> None:
        """Reading the body raised."""
        stopped = isinstance(error, GeneratorExit)
        self._close(complete=False, error=None if stopped else type(error).__name__, later=False)

    def stopped(self) -> None:
        """The reader closed the response before the end of the body."""
        self._close(complete=False, error=None, later=False)

    def collected(self) -> None:
        """Nobody holds the stream any more. This may run at any moment, inside of any lock."""
        self._close(complete=False, error=None, later=True)

    def _close(self, *, complete: bool, error: str | None, later: bool) -> None:
        if self._done:
            return
        self._done = True
        with guarded:
            exchange = self._exchange
            exchange.complete = complete
            exchange.error = error
            exchange.duration = exchange.elapsed()
            exchange.body = self._decoded()
            (self._observer.observe_later if later else self._observer.observe)(exchange)

    def _decoded(self) -> bytes | bytearray:
        """The body as its reader sees it: the client's own decoders undo the content encoding, as far as it goes."""
        encoding = self._exchange.response_headers.get("content-encoding")
        if not encoding or encoding == "identity":
            return self.body
        response = self._module.Response(200, headers={"content-encoding": encoding}, content=iter([bytes(self.body)]))
        parts = []
        try:
            parts.extend(response.iter_bytes())
        except self._module.DecodingError:  # cut off in the middle
            return b"".join(parts)
        return b"".join(parts)


def _sync_tee(module: ModuleType) -> type:
    """A stream class of the module's own kind that hands every chunk on and keeps a copy; nothing is read ahead."""

    class Tee(module.SyncByteStream):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any, finish: _Finish) -> None:  # noqa: ANN401 - the client's types
            self._inner = inner
            self._finish = finish

        def __iter__(self) -> Iterator[bytes]:
            finish = self._finish
            body = finish.body
            try:
                chunks = iter(self._inner)
                for chunk in chunks:
                    finish.first(chunk)
                    yield chunk
                    break
                for chunk in chunks:
                    body += chunk
                    yield chunk
            except BaseException as error:
                finish.failed(error)
                raise
            finish.ended()

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._finish.stopped()

        def __del__(self) -> None:
            self._finish.collected()

    return Tee


def _async_tee(module: ModuleType) -> type:
    """The same for asynchronous clients."""

    class AsyncTee(module.AsyncByteStream):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any, finish: _Finish) -> None:  # noqa: ANN401 - the client's types
            self._inner = inner
            self._finish = finish

        async def __aiter__(self) -> AsyncIterator[bytes]:
            finish = self._finish
            body = finish.body
            chunks = aiter(self._inner)
            try:
                async for chunk in chunks:
                    finish.first(chunk)
                    yield chunk
                    break
                async for chunk in chunks:
                    body += chunk
                    yield chunk
            except BaseException as error:
                finish.failed(error)
                raise
            finally:
                close = getattr(chunks, "aclose", None)
                if close is not None:
                    await close()
            finish.ended()

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._finish.stopped()

        def __del__(self) -> None:
            self._finish.collected()

    return AsyncTee
