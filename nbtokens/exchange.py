"""One HTTP attempt, as bytes: what a transport hands to the meter."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from nbtokens.context import Place, current_place, current_run_id

if TYPE_CHECKING:
    from collections.abc import Iterable

# Only these headers are kept. Credentials, cookies and organisation names are not among them.
KEPT_HEADERS: Final = {
    name.encode(): name
    for name in (
        "content-type",
        "content-encoding",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "server",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-amzn-errortype",
        "x-amzn-requestid",
        "x-request-id",
        "x-stainless-retry-count",
    )
}


class Address(msgspec.Struct, frozen=True):
    """Where a request goes. The query is left out: API keys live there."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def server(self) -> str:
        """`host`, with `:port` where the URL names one."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without its query."""
        return f"{self.scheme}://{self.server}{self.path}"


class Exchange(msgspec.Struct, eq=False, weakref=True):
    """One attempt to get an answer from a server. A transport fills it in; the meter reads it once.

    Attributes:
        place, run_id: what the call belongs to, as it was when the request was sent.
        request_body: the bytes sent, or None where they can't be had without reading the user's stream.
        status: the HTTP status; None where no response came.
        body: the decoded bytes of the response that were read.
        started_at: seconds since the epoch, UTC.
        duration: seconds from sending to the last byte read.
        time_to_first_chunk: seconds from sending to the first byte of a streamed body.
        streamed: whether the caller asked its client for a stream.
        complete: False when the reader stopped before the end of the body.
        error: the name of the exception that ended the attempt.
        from_cache: whether a cache of the application's gave the answer, so that nothing was sent.
        sent: the performance counter at the time of sending, in seconds.
    """

    method: str
    address: Address
    request_body: bytes | None = None
    request_headers: dict[str, str] = msgspec.field(default_factory=dict)
    place: Place = msgspec.field(default_factory=current_place)
    run_id: str | None = msgspec.field(default_factory=current_run_id)
    started_at: float = msgspec.field(default_factory=time)
    status: int | None = None
    response_headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes | bytearray = b""
    duration: float | None = None
    time_to_first_chunk: float | None = None
    streamed: bool = False
    complete: bool = True
    error: str | None = None
    from_cache: bool = False
    sent: float = msgspec.field(default_factory=perf_counter)

    def elapsed(self) -> float:
        """Seconds since the request was sent."""
        return perf_counter() - self.sent


_MOST_NAMES: Final = 4096
_seen_names: Final[dict[str | bytes, str | None]] = {}


def kept_headers(pairs: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, str]:
    """The headers of `KEPT_HEADERS` among name-value pairs, as raw bytes or as text, names in lower case."""
    kept: dict[str, str] = {}
    for name, value in pairs:
        try:
            wanted = _seen_names[name]
        except KeyError:
            wanted = _see(name)
        if wanted is not None:
            kept[wanted] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return kept


def _see(name: str | bytes) -> str | None:
    """Remember whether a header is kept: there are few names, and looking them up is on every call's path."""
    if len(_seen_names) >= _MOST_NAMES:
        _seen_names.clear()
    raw = name if isinstance(name, bytes) else str(name).encode("latin-1", "replace")
    return _seen_names.setdefault(name, KEPT_HEADERS.get(raw.lower()))


class CachedAnswer(msgspec.Struct, eq=False):
    """An answer that a library's own cache gave, so that no request was made.

    Attributes:
        response: what is stored: an object or a dict of the library's.
        model: the model that would have been asked, where the answer names none.
        call_type: OpenTelemetry's operation name, where the answer does not tell it.
        place, run_id: what it belongs to.
        started_at: seconds since the epoch, UTC.
    """

    response: Any
    model: str | None = None
    call_type: str | None = None
    place: Place = msgspec.field(default_factory=current_place)
    run_id: str | None = msgspec.field(default_factory=current_run_id)
    started_at: float = msgspec.field(default_factory=time)


class Observer(Protocol):
    """What a transport asks and tells. The meter is one."""

    def wants(self, method: str, address: Address) -> bool:
        """Whether a request may be a call of a model. What is not is passed through untouched."""

    def begin(self, exchange: Exchange) -> float:
        """An attempt is about to be sent.

        Returns:
            How long it must wait before this is asked again, in seconds; 0 if it may be sent now.

        Raises:
            BudgetExceeded: it must not be sent, by a limit that the user set. Nothing else is ever raised.
        """

    def observe(self, exchange: Exchange) -> None:
        """Take in an exchange that has come to its end, in whatever way. Never raises."""

    def observe_hit(self, answer: CachedAnswer) -> None:
        """Take in an answer of a library's cache. Never raises."""

    def observe_later(self, exchange: Exchange) -> None:
        """The same as `observe`, from a place where no lock may be taken (a destructor): done on another thread."""
