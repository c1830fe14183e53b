"""Exact streams in httpx and httpx2: the request with the option, and the response without what it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.guard import guarded
from nbtokens.transports.exact_streams import REFUSALS, EventFilter, ask_of_request, switch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import ModuleType

    from nbtokens.exchange import Observer
    from nbtokens.transports.exact_streams import Ask

    Send = Callable[..., Any]
    AsyncSend = Callable[..., Awaitable[Any]]


def asking(make: Callable[[Send], Send], module: ModuleType, observer: Observer) -> Callable[[Send], Send]:
    """`Client.send` that asks for the usage, around the one that observes: the record has it, the caller does not."""
    filtered = _sync_filter(module)

    def make_asking(original: Send) -> Send:
        observed = make(original)

        def send(client: Any, request: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
            ask = ask_of_request(request, observer) if switch.on else None
            if ask is None:
                return observed(client, request, *args, **options)
            response = observed(client, _with_body(request, ask[1]), *args, **options)
            if response.status_code in REFUSALS:
                response.close()
                again = observed(client, request, *args, **options)
                return _after_refusal(ask[0], again)
            return _as_unasked(response, request, ask[0], filtered)

        return send

    return make_asking


def asking_async(
    make: Callable[[AsyncSend], AsyncSend], module: ModuleType, observer: Observer
) -> Callable[[AsyncSend], AsyncSend]:
    """The same for `AsyncClient.send`."""
    filtered = _async_filter(module)

    def make_asking(original: AsyncSend) -> AsyncSend:
        observed = make(original)

        async def send(client: Any, request: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
            ask = ask_of_request(request, observer) if switch.on else None
            if ask is None:
                return await observed(client, request, *args, **options)
            response = await observed(client, _with_body(request, ask[1]), *args, **options)
            if response.status_code in REFUSALS:
                await response.aclose()
                again = await observed(client, request, *args, **options)
                return _after_refusal(ask[0], again)
            return _as_unasked(response, request, ask[0], filtered)

        return send

    return make_asking


def _with_body(request: Any, body: bytes) -> Any:  # noqa: ANN401 - the client's types
    """A copy of a request with another body. The user's own request stays as it is."""
    with guarded:
        changed = object.__new__(type(request))
        changed.__dict__.update(request.__dict__)
        changed.headers = type(request.headers)(request.headers)
        changed.headers["Content-Length"] = str(len(body))
        changed.stream = type(request.stream)(body)
        changed._content = body
        return changed
    return request


def _after_refusal(ask: Ask, response: Any) -> Any:  # noqa: ANN401 - the client's types
    """The answer to the request as the user made it; where that one succeeds, the option was to blame."""
    if response.status_code not in REFUSALS:
        switch.refused(ask.server)
    return response


def _as_unasked(response: Any, request: Any, ask: Ask, filtered: type) -> Any:  # noqa: ANN401 - the client's types
    """The response as it would be had nobody asked."""
    with guarded:
        response.request = request
        if "text/event-stream" not in response.headers.get("content-type", ""):
            return response
        events = EventFilter(nulls=ask.nulls)
        if hasattr(response, "_content"):  # read whole already
            response._content = events.feed(response._content) + events.rest()  # noqa: SLF001
        elif response.headers.get("content-encoding", "identity") == "identity":
            bound = response.stream
            if hasattr(bound, "_stream"):
                bound._stream = filtered(bound._stream, events)  # noqa: SLF001 - no public way into it
            else:
                response.stream = filtered(bound, events)
        else:  # packed: events can be seen only where the client has unpacked them
            response._decoder = _Decoder(response._get_content_decoder(), events)  # noqa: SLF001 - the same
    return response


class _Decoder:
    """A content decoder with the filter behind it. httpx's decoders give bytes, httpx2's give them bit by bit."""

    def __init__(self, inner: Any, events: EventFilter) -> None:  # noqa: ANN401 - the client's types
        self._inner = inner
        self._events = events

    def decode(self, data: bytes) -> bytes | Iterator[bytes]:
        """Unpack, then filter."""
        unpacked = self._inner.decode(data)
        return self._events.feed(unpacked) if isinstance(unpacked, bytes) else map(self._events.feed, unpacked)

    def flush(self) -> bytes | Iterator[bytes]:
        """What is left at the end of the body."""
        unpacked = self._inner.flush()
        if isinstance(unpacked, bytes):
            return self._events.feed(unpacked) + self._events.rest()
        return self._last(unpacked)

    def _last(self, unpacked: Iterator[bytes]) -> Iterator[bytes]:
        yield from map(self._events.feed, unpacked)
        yield self._events.rest()


def _sync_filter(module: ModuleType) -> type:
    """A stream class of the module's own kind that hands on what passes a filter."""

    class Filtered(module.SyncByteStream):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any, events: EventFilter) -> None:  # noqa: ANN401 - the client's types
            self._inner = inner
            self._events = events

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._inner:
                passed = self._events.feed(chunk)
                if passed:
                    yield passed
            rest = self._events.rest()
            if rest:
                yield rest

        def close(self) -> None:
            self._inner.close()

    return Filtered


def _async_filter(module: ModuleType) -> type:
    """The same for asynchronous clients."""

    class AsyncFiltered(module.AsyncByteStream):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any, events: EventFilter) -> None:  # noqa: ANN401 - the client's types
            self._inner = inner
            self._events = events

        async def __aiter__(self) -> AsyncIterator[bytes]:
            chunks = aiter(self._inner)
            try:
                async for chunk in chunks:
                    passed = self._events.feed(chunk)
                    if passed:
                        yield passed
            finally:
                close = getattr(chunks, "aclose", None)
                if close is not None:
                    await close()
            rest = self._events.rest()
            if rest:
                yield rest

        async def aclose(self) -> None:
            await self._inner.aclose()

    return AsyncFiltered
