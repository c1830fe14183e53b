"""Where transports meet formats: an exchange becomes a call, a price is put to it, and it is a record."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.billed import own_cost
from nbtokens.call import Usage
from nbtokens.estimates import Estimates
from nbtokens.formats.batches import ANY_ANSWER, is_result_file
from nbtokens.formats.providers import engine_of, is_private, provider_of
from nbtokens.formats.recognise import recognise
from nbtokens.formats.request import Request
from nbtokens.guard import guarded
from nbtokens.limits import Amounts
from nbtokens.order import NOT_YET, UNPRICED, Order, Price
from nbtokens.record import Record, folded, utc
from nbtokens.rows import Route, Rows, Seen, amendment
from nbtokens.stored_answers import StoredAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nbtokens.context import Scope
    from nbtokens.exchange import Address, Exchange
    from nbtokens.prices import PriceBook
    from nbtokens.tokenizers import Tokenizers

_FIRST_WAIT: Final = 0.5
_MOST_LATE: Final = 10_000
_MOST_ROUTES: Final = 2048


class Meter:
    """Observes exchanges. It never raises, and keeps nothing of an exchange once its record is made.

    Attributes:
        enabled: while False, nothing is wanted.

    Args:
        rows: makes the rows of this process.
        prices: what calls cost.
        tokenizers: counts where a provider reports nothing.
        hosts: `host` or `host:port` -> the provider that the user says stands behind it.
        keep: takes each finished record, and the scopes that it belongs to.
        keep_later: takes an exchange to observe on another thread.
        recorded: gives the ledger's records that it has not given before.
        usual_output: how many tokens calls of a model and an operation usually write.
    """

    def __init__(  # noqa: PLR0913 - the parts that it is put together from
        self,
        *,
        rows: Rows,
        prices: PriceBook,
        tokenizers: Tokenizers,
        hosts: Mapping[str, str],
        keep: Callable[[Record, Iterable[Scope]], None],
        keep_later: Callable[[Exchange], None],
        recorded: Callable[[], Iterator[Record]],
        usual_output: Callable[[str, str | None], int],
    ) -> None:
        self.enabled = True
        self.rows = rows
        self._prices = prices
        self._estimates = Estimates(tokenizers)
        self._hosts = hosts
        self._keep = keep
        self._usual_output = usual_output
        self._stored = StoredAnswers(recorded)
        self.observe_later = keep_later
        self._waited = False
        self._late: deque[tuple[Record, Order, tuple[Scope, ...]]] = deque(maxlen=_MOST_LATE)
        self._routes: dict[tuple[str, Address], Route | None] = {}

    def wants(self, method: str, address: Address) -> bool:
        """Whether a request may be a call of a model, by its URL."""
        return self.enabled and self._route(method, address) is not None

    def begin(self, exchange: Exchange) -> None:
        """A request is about to be sent: make ready what its end will need."""
        if not exchange.streamed:
            return
        with guarded:
            route = self._route(exchange.method, exchange.address)
            if route is not None:
                self._estimates.prepare(exchange, route.reader)

    def observe(self, exchange: Exchange) -> None:
        """Take in an exchange that has come to its end."""
        try:
            route = self._route(exchange.method, exchange.address)
            if route is None:
                return
            if route.stored:  # is it recorded already? The ledger must be asked, and not on this thread
                self.observe_later(exchange)
                return
            record = self._to_record(exchange, route)
            if record is not None:
                self._keep(record, exchange.place.scopes)
        except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
            guarded.note(error)

    def observe_deferred(self, exchange: Exchange) -> None:
        """Take in an exchange that was to be observed later. Not for a thread of the user's."""
        route = self._route(exchange.method, exchange.address)
        if route is None or not route.stored:
            self.observe(exchange)
            return
        with guarded:
            for record in self._stored.records(exchange, route, self._to_record):
                self._keep(record, exchange.place.scopes)

    def after_fork(self) -> None:
        """In a forked child: what waits for a price or an answer is the parent's to keep."""
        self._late.clear()
        self._stored.after_fork()

    def settle_pending(self) -> None:
        """Nothing comes after: keep the calls whose answers were never fetched."""
        for record in self._stored.unanswered():
            self._keep(record, ())

    def to_record(self, exchange: Exchange) -> Record | None:
        """The record of an exchange; None where it turns out to be no call of a model."""
        route = self._route(exchange.method, exchange.address)
        return None if route is None or route.stored else self._to_record(exchange, route)

    def _to_record(self, exchange: Exchange, route: Route, tier: str | None = None) -> Record | None:
        table = route.reader.table
        request = Request(exchange.request_body)
        shape_tells = (route.provider is None or table.shape_always) and bool(table.request_keys)
        fits = not shape_tells or request.has_shape(table)
        if not fits and request.readable:
            return None
        call = route.reader.read(exchange, request, route.asked)
        if not fits and call.usage_source != "reported":  # the request could not be seen; then the answer must tell
            return None
        if tier is not None:
            call = msgspec.structs.replace(call, service_tier=tier)
        if not (route.stored or call.pending):
            call = self._estimates.completed(call, exchange, route.reader, request)
        engine = engine_of(exchange) if route.provider is None else None
        seen = Seen(exchange, route, request, call, engine, utc(exchange.started_at))
        if call.usage_source == "none":
            own = own_cost(route.provider, call.raw_usage)
            record = self.rows.row(seen, UNPRICED if own is None else Price(total=own, source="provider"))
            awaited = call.pending and not route.stored and self._stored.await_answer(record)
            return None if awaited else record
        order = _order(seen)
        price = self.price(order)
        record = self.rows.row(seen, price)
        if price is NOT_YET and not exchange.from_cache:
            self._late.append((record, order, exchange.place.scopes))
        return record

    def expected(self, exchange: Exchange) -> Amounts:
        """About what a request that is to be sent will use and cost: its prompt, and as much as it may write.

        Where it sets no `max_tokens`, it is taken to write what calls of its operation and model usually do.
        """
        route = self._route(exchange.method, exchange.address)
        if route is None or route.stored:
            return Amounts()
        table = route.reader.table
        request = Request(exchange.request_body)
        model = request.text("model") or route.asked or ""
        read = self._estimates.input_tokens(request, table, model)
        written = 0
        if table.text:
            limit = request.number(table.max_tokens)
            written = self._usual_output(model, exchange.place.operation) if limit is None else max(limit, 0)
        engine = "local" if route.private else None
        usage = Usage(input_tokens=read, output_tokens=written)
        order = Order(
            (model,), usage, utc(exchange.started_at), route.provider, route.url, route.server, route.private, engine
        )
        return Amounts(self.price(order).total, read + written)

    def price(self, order: Order, wait: float = _FIRST_WAIT) -> Price:
        """Price a call; the first one of the process waits a moment for the price data, no other does."""
        if not self._waited:
            self._waited = True
            self.wait_for_prices(wait)
        return self._prices.price(order)

    def start_loading_prices(self) -> None:
        """Load the price data in the background."""
        self._prices.start_loading()

    def wait_for_prices(self, seconds: float) -> bool:
        """Wait until the price data is there, at most so long; True if it is."""
        return self._prices.wait(seconds)

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
            record, order, scopes = self._late.popleft()
            price = self._prices.price(order)
            if price.total is not None:
                change = amendment(record, price)
                after = folded(record, change)
                for scope in scopes:
                    scope.amend(record, after)
                amendments.append((record, change, after))
        return amendments

    def _route(self, method: str, address: Address) -> Route | None:
        key = (method, address)
        try:
            return self._routes[key]
        except KeyError:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            route = self._routes[key] = self._find_route(method, address)
            return route

    def _find_route(self, method: str, address: Address) -> Route | None:
        server, path = address.server, address.path
        provider = self._hosts.get(server) or self._hosts.get(address.host) or provider_of(address.host)
        reader = ANY_ANSWER if is_result_file(method, path) else recognise(method, path, provider)
        if reader is None:
            return None
        private = provider is None and is_private(address.host)
        stored = reader.table.method == "GET"
        return Route(reader, provider, private, server, address.url, reader.model_in(path), stored)


def _order(seen: Seen) -> Order:
    """What there is to price of a call."""
    call, route = seen.call, seen.route
    model, asked = call.model, call.request_model
    if route.provider == "aws.bedrock":  # the name that is asked for tells the region's price, the answer's does not
        model, asked = asked, model
    return Order(
        (model, asked) if model and asked and model != asked else (model or asked or "",),
        call.usage,
        seen.at,
        route.provider,
        route.url,
        route.server,
        route.private,
        seen.engine,
        call.service_tier,
        seen.exchange.duration,
        call.raw_usage,
    )
