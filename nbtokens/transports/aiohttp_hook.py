"""aiohttp. It hands every response over before its body; what the caller then reads is teed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.exchange import Exchange, Observer, kept_headers
from nbtokens.transports.address import address, asks_for_a_stream, bytes_of
from nbtokens.transports.aiohttp_tee import teeing
from nbtokens.transports.attempt import observed_async
from nbtokens.transports.patch import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from nbtokens.transports.attempt import Attempt
    from nbtokens.transports.finish import Finish

MODULES = ("aiohttp",)
_UNPACKED: Final = ("gzip", "deflate", "br", "zstd")


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The method that every request goes through. It follows redirects: a call that is sent on is one attempt."""
    hook = AiohttpHook(observer, teeing(module.StreamReader))
    return [Target(module.ClientSession, "_request", observed_async(hook, observer))]


class AiohttpHook:
    """How an attempt looks in aiohttp.

    Args:
        observer: asked whether an attempt is wanted.
        tee: the class that goes around the content of a response.
    """

    def __init__(self, observer: Observer, tee: Callable[[Any, Finish], Any]) -> None:
        self._observer = observer
        self._tee = tee

    def describe(
        self,
        session: Any,  # noqa: ANN401 - the client's types
        method: str,
        str_or_url: Any,  # noqa: ANN401 - the client's types
        **options: Any,  # noqa: ANN401 - the client's types
    ) -> Exchange | None:
        """The attempt that `ClientSession._request` begins."""
        method = method.upper()
        url = session._build_url(str_or_url)  # noqa: SLF001 - it knows the session's base URL
        where = address(url.scheme, url.host or "", url.port, url.raw_path)
        if not self._observer.wants(method, where):
            return None
        body = _body(session, options)
        return Exchange(
            method,
            where,
            request_body=body,
            request_headers=kept_headers(session._prepare_headers(options.get("headers")).items()),  # noqa: SLF001
            streamed=asks_for_a_stream(where, body),
        )

    def answered(self, attempt: Attempt, response: Any) -> None:  # noqa: ANN401 - the client's types
        """The body was read only where a callback of the user's did it; else it is teed."""
        exchange = attempt.exchange
        exchange.status = response.status
        exchange.response_headers = kept_headers(response.raw_headers)
        if response._body is not None:  # noqa: SLF001 - there is no public way to ask
            attempt.whole(response._body)  # noqa: SLF001
        else:
            unpacks = attempt.options.get("auto_decompress")
            unpacks = attempt.client.auto_decompress if unpacks is None else unpacks
            unpacked = unpacks and (attempt.encoding or "").lower() in _UNPACKED
            response.content = self._tee(response.content, attempt.reading(unpacked=unpacked))


def _body(session: Any, options: dict[str, Any]) -> bytes | None:  # noqa: ANN401 - the client's types
    """The bytes that will be sent: given as such, or made of a document, by the session's own serialiser."""
    document = options.get("json")
    if document is None:
        data = options.get("data")
        return bytes_of(getattr(data, "_value", data))
    serialise = getattr(session, "_json_serialize_bytes", None) or session.json_serialize
    return bytes_of(serialise(document))
