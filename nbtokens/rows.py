"""Rows of the ledger, put together from what was seen of a call, what it costs, and who this process is."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from nbtokens.call import Call
from nbtokens.context import current_run_id
from nbtokens.exchange import Exchange
from nbtokens.formats.request import Request
from nbtokens.record import VERSION, Record, new_id

if TYPE_CHECKING:
    from nbtokens.call import Usage
    from nbtokens.config import Config
    from nbtokens.fingerprint import Fingerprints
    from nbtokens.formats.reader import Reader
    from nbtokens.order import Price

_NOTHING: Final = Decimal(0)


class Route(NamedTuple):
    """What the URL of a request tells: how it is read, and who answers.

    Attributes:
        asked: the model or deployment that it names.
        stored: whether it asks for answers to earlier requests.
    """

    reader: Reader
    provider: str | None
    private: bool
    server: str
    url: str
    asked: str | None = None
    stored: bool = False


class Seen(msgspec.Struct, frozen=True, gc=False):
    """All that is known of one exchange.

    Attributes:
        engine: the local engine that the answer gave away.
        at: when the request was sent, UTC.
    """

    exchange: Exchange
    route: Route
    request: Request
    call: Call
    engine: str | None
    at: datetime


class Rows:
    """Makes the rows of one process.

    Args:
        config: names of project, user and host.
        fingerprints: hashes of requests.
        session: the id that every row carries.
    """

    def __init__(self, config: Config, fingerprints: Fingerprints, session: str) -> None:
        self._fingerprints = fingerprints
        self._session = session
        self._project, self._user, self._host = config.project, config.user, config.host
        self._captures = config.settings.capture_content

    def blank(self, at: datetime, record_id: str | None = None) -> Record:
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

    def row(self, seen: Seen, price: Price) -> Record:
        """The row of a call, or of the answer that a cache gave in its stead."""
        made = self._call(seen, price)
        if self._captures:
            made = msgspec.structs.replace(made, content=_content(seen))
        return cache_hit(made) if seen.exchange.from_cache else made

    def _call(self, seen: Seen, price: Price) -> Record:
        exchange, route, call = seen.exchange, seen.route, seen.call
        place, usage, sent, got = exchange.place, call.usage, exchange.request_headers, exchange.response_headers
        return Record(
            v=VERSION,
            kind="call",
            id=new_id(exchange.started_at),
            started_at=seen.at,
            project=self._project,
            host=self._host,
            user=self._user,
            session=self._session,
            run_id=exchange.run_id,
            notebook=place.notebook,
            cell=place.cell,
            execution_count=place.execution_count,
            attribution=place.attribution,
            operation=place.operation,
            tags=dict(place.tags) or None,
            call_type=call.call_type,
            api=call.api,
            provider=route.provider or seen.engine,
            server_address=route.server,
            request_model=call.request_model,
            model=call.model or call.request_model,
            response_id=call.response_id,
            request_id=got.get("x-request-id") or got.get("request-id") or got.get("x-amzn-requestid"),
            service_tier=call.service_tier,
            max_tokens=call.max_tokens,
            finish_reason=call.finish_reason,
            stream=call.stream,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=_total(usage),
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
            request_hash=self._fingerprints.of([exchange.request_body]) if exchange.request_body else None,
            prefix_hash=self._fingerprints.of(seen.request.prefix(route.reader.table)),
            input_cost_usd=price.input,
            output_cost_usd=price.output,
            other_cost_usd=price.other,
            cost_usd=price.total,
            price_source=price.source,
        )


def _content(seen: Seen) -> dict[str, str]:
    """The texts that went in and came out."""
    reader = seen.route.reader
    return {
        "input": "\n".join(seen.request.prompt_texts(reader.table)),
        "output": "".join(reader.written(seen.exchange)),
    }


def cache_hit(record: Record) -> Record:
    """The row of an answer that an application's cache gave, from that of the call which it saved.

    Its tokens are those of the answer, `saved_cost_usd` is what they would have cost; it cost nothing itself.
    """
    return msgspec.structs.replace(
        record,
        kind="cache_hit",
        input_cost_usd=None,
        output_cost_usd=None,
        other_cost_usd=None,
        cost_usd=_NOTHING,
        saved_cost_usd=record.cost_usd,
    )


def amendment(record: Record, price: Price) -> Record:
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


def _total(usage: Usage) -> int | None:
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)


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
