"""Where transports meet formats: an exchange becomes a call, a price is put to it, and it is a record."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from nbtokens.context import current_run_id
from nbtokens.formats.providers import engine_of, is_private, provider_of
from nbtokens.formats.recognise import recognise
from nbtokens.formats.request import Request
from nbtokens.guard import guarded
from nbtokens.prices import UNPRICED, Order, Price, PriceBook
from nbtokens.record import VERSION, Record, folded, new_id, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from nbtokens.call import Call, Usage
    from nbtokens.config import Config
    from nbtokens.context import Scope
    from nbtokens.exchange import Address, Exchange
    from nbtokens.fingerprint import Fingerprints
    from nbtokens.formats.reader import Reader
    from nbtokens.tokenizers import Tokenizers

_FIRST_WAIT: Final = 0.5
_MOST_LATE: Final = 10_000
_MOST_ROUTES: Final = 2048
_MESSAGE_TOKENS: Final = 3
_FIRST_ERROR_STATUS: Final = 400


class Route(NamedTuple):
    """What the URL of a request tells: how it is read, and who answers."""

    reader: Reader
    provider: str | None
    private: bool
    server: str
    url: str


class Meter:
    """Observes exchanges. It never raises, and keeps nothing of an exchange once its record is made.

    Attributes:
        enabled: while False, nothing is wanted.

    Args:
        config: names of project, user and host.
        prices: what calls cost.
        tokenizers: counts where a provider reports nothing.
        fingerprints: hashes of requests.
        session: the id that every record carries.
        keep: takes each finished record, and the scopes that it belongs to.
        keep_later: takes an exchange to observe on another thread.
    """

    def __init__(  # noqa: PLR0913 - everything that a record is made of, handed in
        self,
        *,
        config: Config,
        prices: PriceBook,
        tokenizers: Tokenizers,
        fingerprints: Fingerprints,
        session: str,
        keep: Callable[[Record, Iterable[Scope]], None],
        keep_later: Callable[[Exchange], None],
    ) -> None:
        self.enabled = True
        self._config = config
        self._prices = prices
        self._tokenizers = tokenizers
        self._fingerprints = fingerprints
        self._session = session
        self._keep = keep
        self.observe_later = keep_later
        self._waited = False
        self._late: deque[tuple[Record, Order]] = deque(maxlen=_MOST_LATE)
        self._routes: dict[tuple[str, Address], Route | None] = {}
        self._project, self._user, self._host = config.project, config.user, config.host

    def wants(self, method: str, address: Address) -> bool:
        """Whether a request may be a call of a model, by its URL."""
        return self.enabled and self._route(method, address) is not None

    def begin(self, exchange: Exchange) -> None:
        """A request is about to be sent: make ready what its end will need."""
        if not exchange.streamed:
            return
        with guarded:
            route = self._route(exchange.method, exchange.address)
            key = route.reader.table.usage_on_request if route is not None else None
            if key is not None and key.encode() not in (exchange.request_body or b""):
                self._tokenizers.start_loading(Request(exchange.request_body).text("model"))

    def observe(self, exchange: Exchange) -> None:
        """Take in an exchange that has come to its end."""
        try:
            record = self.to_record(exchange)
            if record is not None:
                self._keep(record, exchange.place.scopes)
        except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
            guarded.note(error)

    def to_record(self, exchange: Exchange) -> Record | None:
        """The record of an exchange; None where it turns out to be no call of a model."""
        route = self._route(exchange.method, exchange.address)
        if route is None:
            return None
        reader = route.reader
        request = Request(exchange.request_body)
        if route.provider is None and not request.has_shape(reader.table):
            return None
        call = self._with_estimates(reader.read(exchange, request), exchange, reader, request)
        engine = engine_of(exchange) if route.provider is None else None
        at = utc(exchange.started_at)
        order = None if call.usage_source == "none" else _order(call, route, engine, at, exchange.duration)
        price = self.price(order) if order is not None else UNPRICED
        record = self._record(exchange, call, price, route, request, engine, at)
        if order is not None and price is UNPRICED and not self._prices.ready:
            self._late.append((record, order))
        return record

    def price(self, order: Order, wait: float = _FIRST_WAIT) -> Price:
        """Price a call; the first one of the process waits a moment for the price data, no other does."""
        if not self._waited:
            self._waited = True
            self.wait_for_prices(wait)
        return self._prices.price(order)

    def wait_for_prices(self, seconds: float) -> None:
        """Wait until the price data is there, at most so long."""
        self._prices.wait(seconds)

    @property
    def awaits_prices(self) -> bool:
        """Whether calls ended before the price data was there."""
        return bool(self._late)

    def late_prices(self) -> list[tuple[Record, Record, Record]]:
        """For the calls that ended before the price data was there, once it is: before, amendment, after."""
        if not self._late or not self._prices.ready:
            return []
        amendments = []
        while self._late:
            record, order = self._late.popleft()
            price = self._prices.price(order)
            if price.total is not None:
                amendment = _amendment(record, price)
                amendments.append((record, amendment, folded(record, amendment)))
        return amendments

    def identity(self, at: datetime, record_id: str | None = None) -> Record:
        """An empty record with what all records of this process share."""
        return Record(
            v=VERSION,
            kind="call",
            id=record_id or new_id(at.timestamp()),
            started_at=at,
            project=self._project,
            host=self._host,
            user=self._user,
            session=self._session,
            run_id=current_run_id(),
        )

    def _route(self, method: str, address: Address) -> Route | None:
        key = (method, address)
        try:
            return self._routes[key]
        except KeyError:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._routes[key] = _find_route(method, address)
            return route

    def _with_estimates(self, call: Call, exchange: Exchange, reader: Reader, request: Request) -> Call:
        """Count what the provider did not report, of an answer that began to come."""
        answered = exchange.status is not None and exchange.status < _FIRST_ERROR_STATUS
        usage = call.usage
        cut_off = not call.complete and reader.table.text != ()
        if not answered or (usage.output_tokens is not None and usage.input_tokens is not None and not cut_off):
            return call
        if call.error is not None and not exchange.body:
            return call
        model = call.model or call.request_model
        written = self._tokenizers.count("".join(reader.written(exchange)), model)
        read = usage.input_tokens
        if read is None:
            texts = list(request.prompt_texts(reader.table))
            read = self._tokenizers.count("\n".join(texts), model) + _MESSAGE_TOKENS * bool(texts)
        counted: Usage = msgspec.structs.replace(
            usage, input_tokens=read, output_tokens=max(written, usage.output_tokens or 0)
        )
        return msgspec.structs.replace(call, usage=counted, usage_source="estimated")

    def _record(  # noqa: PLR0913, PLR0917 - the parts that a row is put together from
        self,
        exchange: Exchange,
        call: Call,
        price: Price,
        route: Route,
        request: Request,
        engine: str | None,
        at: datetime,
    ) -> Record:
        place, usage, sent, got = exchange.place, call.usage, exchange.request_headers, exchange.response_headers
        counted = usage.input_tokens is not None or usage.output_tokens is not None
        body = exchange.request_body
        return Record(
            v=VERSION,
            kind="call",
            id=new_id(exchange.started_at),
            started_at=at,
            project=self._project,
            host=self._host,
            user=self._user,
            session=self._session,
            run_id=current_run_id(),
            notebook=place.notebook,
            cell=place.cell,
            execution_count=place.execution_count,
            attribution=place.attribution,
            operation=place.operation,
            tags=dict(place.tags) or None,
            call_type=call.call_type,
            api=call.api,
            provider=route.provider or engine,
            server_address=route.server,
            request_model=call.request_model,
            model=call.model or call.request_model,
            response_id=call.response_id,
            request_id=got.get("x-request-id") or got.get("request-id"),
            service_tier=call.service_tier,
            max_tokens=call.max_tokens,
            finish_reason=call.finish_reason,
            stream=call.stream,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=(usage.input_tokens or 0) + (usage.output_tokens or 0) if counted else None,
            cache_read_input_tokens=usage.cache_read_input_tokens,
            cache_creation_input_tokens=usage.cache_creation_input_tokens,
            reasoning_output_tokens=usage.reasoning_output_tokens,
            usage_source=call.usage_source,
            complete=call.complete,
            usage=call.raw_usage,
            status="ok" if call.error is None else "error",
            http_status=exchange.status,
            error=call.error,
            retry_count=_whole(sent.get("x-stainless-retry-count")),
            retry_after_s=_retry_after(got) if call.error is not None else None,
            duration_s=_seconds(exchange.duration),
            time_to_first_chunk_s=_seconds(exchange.time_to_first_chunk),
            request_hash=self._fingerprints.of([body]) if body else None,
            prefix_hash=self._fingerprints.of(request.prefix(route.reader.table)),
            input_cost_usd=price.input,
            output_cost_usd=price.output,
            other_cost_usd=price.other,
            cost_usd=price.total,
            price_source=price.source,
        )


def _find_route(method: str, address: Address) -> Route | None:
    reader = recognise(method, address.path)
    if reader is None:
        return None
    provider = provider_of(address.host)
    return Route(reader, provider, provider is None and is_private(address.host), address.server, address.url)


def _order(call: Call, route: Route, engine: str | None, at: datetime, duration: float | None) -> Order:
    """What there is to price of a call."""
    model, asked = call.model, call.request_model
    return Order(
        (model, asked) if model and asked and model != asked else (model or asked or "",),
        call.usage,
        at,
        route.provider,
        route.url,
        route.server,
        route.private,
        engine,
        call.service_tier,
        duration,
        call.raw_usage,
    )


def _amendment(record: Record, price: Price) -> Record:
    """A row that gives a record its price."""
    return Record(
        v=VERSION,
        kind="amend",
        id=new_id(),
        ref=record.id,
        started_at=record.started_at,
        input_cost_usd=price.input,
        output_cost_usd=price.output,
        other_cost_usd=price.other,
        cost_usd=price.total,
        price_source=price.source,
    )


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _retry_after(headers: dict[str, str]) -> float | None:
    """The wait that a provider asks for, in seconds (RFC 9110, 10.2.3; `retry-after-ms` is OpenAI's)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
    return None
