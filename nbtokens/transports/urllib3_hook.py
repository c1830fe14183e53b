"""urllib3 used alone, as generated clients do; and its own retries, which are attempts too, below whatever client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nbtokens.context import is_observed
from nbtokens.exchange import Exchange, Observer, kept_headers
from nbtokens.guard import guarded
from nbtokens.transports.address import address, address_of, asks_for_a_stream, bytes_of
from nbtokens.transports.attempt import current, observed
from nbtokens.transports.decoding import decoded
from nbtokens.transports.patch import Target
from nbtokens.transports.urllib3_tee import tee

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from nbtokens.exchange import Address
    from nbtokens.transports.attempt import Attempt

MODULES = ("urllib3",)
_RETRIES = 3  # `retries` is the third argument of a pool after the method and the URL


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The manager, which follows redirects (a call that is sent on is one attempt), and the pools below it."""
    hook = Urllib3Hook(observer)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return _telling_of_retries(observed(hook, observer)(original))

    return [
        Target(module.PoolManager, "urlopen", observed(hook, observer)),
        Target(module.HTTPConnectionPool, "urlopen", make),
    ]


class Urllib3Hook:
    """How an attempt looks in urllib3."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def describe(
        self,
        opener: Any,  # noqa: ANN401 - the client's types
        method: str,
        url: str,
        body: Any = None,  # noqa: ANN401 - the client's types
        headers: Any = None,  # noqa: ANN401 - the client's types
        *args: Any,  # noqa: ANN401 - the client's types
        **options: Any,  # noqa: ANN401 - the client's types
    ) -> Exchange | None:
        """The attempt that `urlopen` begins, of a manager or of a pool."""
        del args
        where = _where(opener, url)
        if not self._observer.wants(method, where):
            return None
        sent = bytes_of(body)
        return Exchange(
            method,
            where,
            request_body=sent,
            request_headers=kept_headers((headers or opener.headers or {}).items()),
            streamed=options.get("preload_content") is False and asks_for_a_stream(where, sent),
        )

    def answered(self, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
        """The body was read, unless the caller wants to do that; then it is teed."""
        exchange = attempt.exchange
        exchange.status = response.status
        exchange.response_headers = kept_headers(response.headers.items())
        body = response._body  # noqa: SLF001 - `data` would read the stream
        if body is None:
            tee(response, attempt.reading())
        elif response.decode_content:
            attempt.whole(body)
        else:
            attempt.whole(decoded(body, attempt.encoding))


def _where(opener: Any, url: str) -> Address:  # noqa: ANN401 - the client's types
    """A manager is given a whole URL, a pool a path; or a whole URL, where it speaks to a proxy."""
    if "://" in url.partition("?")[0]:
        return address_of(url)
    return address(opener.scheme, opener.host.strip("[]"), opener.port, urlsplit(url).path)


def _telling_of_retries(send: Callable[..., Any]) -> Callable[..., Any]:
    """A pool tries again by calling its own `urlopen`, with a longer history."""

    def urlopen(pool: Any, method: str, url: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's
        if is_observed():
            with guarded:
                _tell(args[_RETRIES - 1] if len(args) >= _RETRIES else options.get("retries"))
        return send(pool, method, url, *args, **options)

    return urlopen


def _tell(retries: Any) -> None:  # noqa: ANN401 - urllib3's Retry, a number, or nothing
    history = getattr(retries, "history", ())
    attempt = current.get()
    if history and attempt is not None and history[-1].redirect_location is None:
        attempt.repeated(history[-1].status, history[-1].error)
