"""botocore, for Bedrock: below the signatures, which stay untouched. Each of its retries is an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.exchange import Exchange, Observer, kept_headers
from nbtokens.transports.address import address_of, bytes_of
from nbtokens.transports.attempt import observed
from nbtokens.transports.decoding import decoded
from nbtokens.transports.patch import Target
from nbtokens.transports.urllib3_tee import tee

if TYPE_CHECKING:
    from types import ModuleType

    from nbtokens.transports.attempt import Attempt

MODULES = ("botocore.httpsession",)


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The method that every signed request goes through."""
    return [Target(module.URLLib3Session, "send", observed(BotocoreHook(observer), observer))]


class BotocoreHook:
    """How an attempt looks in botocore."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def describe(self, session: Any, request: Any) -> Exchange | None:  # noqa: ANN401 - the client's types
        """The attempt that `URLLib3Session.send` begins."""
        del session
        address = address_of(request.url)
        if not self._observer.wants(request.method, address):
            return None
        return Exchange(
            request.method,
            address,
            request_body=bytes_of(request.body),
            request_headers=kept_headers(request.headers.items()),
            streamed=bool(request.stream_output),
        )

    def answered(self, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
        """The body was read where the operation's output is a document; where it is a stream, it is teed."""
        exchange = attempt.exchange
        exchange.status = response.status_code
        exchange.response_headers = kept_headers(response.headers.items())
        body = response._content  # noqa: SLF001 - `content` would read the stream
        if body is None:
            tee(response.raw, attempt.reading())
        else:
            attempt.whole(decoded(body, attempt.encoding))
