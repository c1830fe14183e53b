"""What all hooks do around one attempt of a client; how an attempt looks in that client is each hook's own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from time import perf_counter, sleep, time
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from nbtokens.context import begin_observing, end_observing, is_observed
from nbtokens.guard import guarded
from nbtokens.transports.finish import Finish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nbtokens.exchange import Exchange, Observer


class Hook(Protocol):
    """What a client's hook knows of its client. Whatever it raises is swallowed by the guard."""

    def describe(self, *args: Any, **options: Any) -> Exchange | None:  # noqa: ANN401 - the client's types
        """The attempt that a call of the hooked method, with these arguments, begins; None if nobody wants it."""

    def answered(self, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
        """The method has returned: end the attempt, or see to it that the reading of the body does."""


class Attempt:
    """One attempt, from sending to the head of the response.

    Attributes:
        exchange: what is known of it.
        observer: who is told.
        client: whose method was called.
        options: what it was called with, by name.
    """

    __slots__ = ("client", "exchange", "observer", "options")

    def __init__(self, exchange: Exchange, observer: Observer, client: Any, options: dict[str, Any]) -> None:  # noqa: ANN401
        self.exchange = exchange
        self.observer = observer
        self.client = client
        self.options = options

    def failed(self, error: BaseException) -> None:
        """No response came, or none that the client would give to its caller."""
        with guarded:
            exchange = self.exchange
            status = getattr(error, "status", None)  # aiohttp's, where the user has it raise for status
            exchange.status = status if isinstance(status, int) else None
            exchange.error = type(error).__name__
            exchange.complete = False
            exchange.duration = exchange.elapsed()
            self.observer.observe(exchange)

    def whole(self, body: bytes | bytearray) -> None:
        """The client has read the whole, decoded body before it hands the response over."""
        exchange = self.exchange
        exchange.duration = exchange.elapsed()
        exchange.body = body
        self.observer.observe(exchange)

    @property
    def encoding(self) -> str | None:
        """The content encoding of the response."""
        return self.exchange.response_headers.get("content-encoding")

    def reading(self, *, unpacked: bool = False) -> Finish:
        """The body is still to be read, by the caller; `unpacked` where the client undoes its encoding before that."""
        return Finish(self.exchange, self.observer, None if unpacked else self.encoding)

    def repeated(self, status: int | None, error: BaseException | None) -> None:
        """The client itself tries again: what came of it so far is an attempt of its own."""
        before = msgspec.structs.replace(
            self.exchange,
            status=status,
            error=None if error is None else type(error).__name__,
            complete=False,
            duration=self.exchange.elapsed(),
        )
        self.observer.observe(before)
        _sent_now(self)


current: Final[ContextVar[Attempt | None]] = ContextVar("nbtokens_attempt", default=None)


def _described(hook: Hook, observer: Observer, args: tuple[Any, ...], options: dict[str, Any]) -> Attempt | None:
    try:
        if is_observed():
            return None
        exchange = hook.describe(*args, **options)
        return None if exchange is None else Attempt(exchange, observer, args[0], options)
    except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
        guarded.note(error)
        return None


def _pause(attempt: Attempt) -> float:
    """Tell of an attempt that is to be sent; how long it must wait first, in seconds."""
    try:
        return attempt.observer.begin(attempt.exchange)
    except Exception as error:  # noqa: BLE001 - the guard; a limit that stops calls raises what is no `Exception`
        guarded.note(error)
        return 0.0


async def _wait(seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    except RuntimeError:  # another kind of event loop than asyncio's
        sleep(seconds)  # noqa: ASYNC251 - there is no other way for a loop that is not known


def _sent_now(attempt: Attempt) -> None:
    attempt.exchange.started_at, attempt.exchange.sent = time(), perf_counter()


def _answered(hook: Hook, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
    try:
        hook.answered(attempt, response)
    except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
        guarded.note(error)


def observed(hook: Hook, observer: Observer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A maker of replacements for a method that sends a request and returns its response."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def send(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
            attempt = _described(hook, observer, args, options)
            if attempt is None:
                return original(*args, **options)
            while pause := _pause(attempt):
                sleep(pause)
                _sent_now(attempt)
            token = begin_observing()
            current.set(attempt)
            try:
                response = original(*args, **options)
            except BaseException as error:
                attempt.failed(error)
                raise
            finally:
                end_observing(token)
                current.set(None)
            _answered(hook, attempt, response)
            return response

        return send

    return make


def observed_async(
    hook: Hook, observer: Observer
) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
    """The same for a coroutine function."""

    def make(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def send(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
            attempt = _described(hook, observer, args, options)
            if attempt is None:
                return await original(*args, **options)
            while pause := _pause(attempt):
                await _wait(pause)
                _sent_now(attempt)
            token = begin_observing()
            try:
                response = await original(*args, **options)
            except BaseException as error:
                attempt.failed(error)
                raise
            finally:
                end_observing(token)
            _answered(hook, attempt, response)
            return response

        return send

    return make
