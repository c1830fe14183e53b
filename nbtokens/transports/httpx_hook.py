"""httpx and httpx2, sync and async, plain and streamed. The module is passed in: one file serves both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.exchange import Address, Exchange, Observer, kept_headers
from nbtokens.transports.attempt import observed, observed_async
from nbtokens.transports.cached import is_marked
from nbtokens.transports.exact_httpx import asking, asking_async
from nbtokens.transports.finish import END_MARKS, Finish
from nbtokens.transports.patch import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import ModuleType

    from nbtokens.transports.attempt import Attempt

MODULES = ("httpx", "httpx2")


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The methods that every request of the module's clients goes through."""
    sync, asynchronous = HttpxHook(observer, _sync_tee(module)), HttpxHook(observer, _async_tee(module))
    return [
        Target(module.Client, "send", asking(observed(sync, observer), module, observer)),
        Target(module.AsyncClient, "send", asking_async(observed_async(asynchronous, observer), module, observer)),
    ]


class HttpxHook:
    """How an attempt looks in the clients of one module.

    Args:
        observer: asked whether an attempt is wanted.
        tee: the class that goes around the stream of a response.
    """

    def __init__(self, observer: Observer, tee: type) -> None:
        self._observer = observer
        self._tee = tee

    def describe(
        self,
        client: Any,  # noqa: ANN401 - the client's types
        request: Any,  # noqa: ANN401 - the client's types
        *args: Any,  # noqa: ANN401 - the client's types
        stream: bool = False,
        **options: Any,  # noqa: ANN401 - the client's types
    ) -> Exchange | None:
        """The attempt that `Client.send` begins."""
        del client, args, options
        url = request.url
        address = Address(url.scheme, url.host, url.port, url.path)
        if not self._observer.wants(request.method, address):
            return None
        return Exchange(
            request.method,
            address,
            request_body=_body(request),
            request_headers=kept_headers(request.headers.raw),
            streamed=bool(stream),
        )

    def answered(self, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
        """The body was read if the caller wants no stream, or by an event hook of the user's; else it is teed."""
        exchange = attempt.exchange
        exchange.status = response.status_code
        exchange.response_headers = kept_headers(response.headers.raw)
        exchange.from_cache = is_marked(response.extensions)
        if hasattr(response, "_content"):
            attempt.whole(response.content)
            return
        # The client binds the transport's stream into one of its own, which keeps the time; its inside is
        # replaced, so that the response holds what it would hold without us.
        bound = response.stream
        if hasattr(bound, "_stream"):
            bound._stream = self._tee(bound._stream, attempt.reading())  # noqa: SLF001 - no public way into it
        else:
            response.stream = self._tee(bound, attempt.reading())


def _sync_tee(module: ModuleType) -> type:
    """A stream class of the module's own kind that hands every chunk on and keeps a copy; nothing is read ahead."""

    class Tee(module.SyncByteStream):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any, finish: Finish) -> None:  # noqa: ANN401 - the client's types
            self._inner = inner
            self._finish = finish

        def __iter__(self) -> Iterator[bytes]:
            finish = self._finish
            body = finish.body
            try:
                chunks = iter(self._inner)
                for chunk in chunks:
                    finish.take(chunk)
                    yield chunk
                    break
                for chunk in chunks:
                    body += chunk
                    if body.endswith(END_MARKS):
                        finish.ended()
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
        def __init__(self, inner: Any, finish: Finish) -> None:  # noqa: ANN401 - the client's types
            self._inner = inner
            self._finish = finish

        async def __aiter__(self) -> AsyncIterator[bytes]:
            finish = self._finish
            body = finish.body
            chunks = aiter(self._inner)
            try:
                async for chunk in chunks:
                    finish.take(chunk)
                    yield chunk
                    break
                async for chunk in chunks:
                    body += chunk
                    if body.endswith(END_MARKS):
                        finish.ended()
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


def _body(request: Any) -> bytes | None:  # noqa: ANN401 - the client's types
    """What is sent, as far as it is there: `.content` raises for a stream, and reading it would eat it.

    Of a form with files only the texts are given, as the form has them.
    """
    body: bytes | None = getattr(request, "_content", None)
    if body is not None:
        return body
    fields = getattr(request.stream, "fields", None)
    if not isinstance(fields, list):
        return None
    texts = [(field.name, field.value) for field in fields if isinstance(getattr(field, "value", None), str)]
    form = "".join(f'--\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in texts)
    return form.encode("utf-8", "replace") or None
