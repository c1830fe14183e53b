"""requests, plain and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.exchange import Exchange, Observer, kept_headers
from nbtokens.transports.address import address_of, bytes_of
from nbtokens.transports.attempt import observed
from nbtokens.transports.cached import FROM_CACHE_HEADER
from nbtokens.transports.patch import Target
from nbtokens.transports.urllib3_tee import tee

if TYPE_CHECKING:
    from types import ModuleType

    from nbtokens.transports.attempt import Attempt

MODULES = ("requests",)


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The method that every request goes through. It follows redirects: a call that is sent on is one attempt."""
    return [Target(module.Session, "send", observed(RequestsHook(observer), observer))]


class RequestsHook:
    """How an attempt looks in requests."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def describe(self, session: Any, request: Any, **options: Any) -> Exchange | None:  # noqa: ANN401 - the client's types
        """The attempt that `Session.send` begins."""
        method, address = request.method, address_of(request.url)
        if not self._observer.wants(method, address):
            return None
        return Exchange(
            method,
            address,
            request_body=bytes_of(request.body),
            request_headers=kept_headers(request.headers.items()),
            streamed=bool(options.get("stream", session.stream)),
        )

    def answered(self, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
        """The body was read if the caller wants no stream, or by a hook of the user's; else it is teed."""
        exchange = attempt.exchange
        exchange.status = response.status_code
        exchange.response_headers = kept_headers(response.headers.items())
        exchange.from_cache = response.headers.get(FROM_CACHE_HEADER) == "true"
        if response._content_consumed:  # noqa: SLF001 - `content` would read the stream
            attempt.whole(response.content or b"")
        else:
            tee(response.raw, attempt.reading())
