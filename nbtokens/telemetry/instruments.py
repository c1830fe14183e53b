"""Records as OpenTelemetry's GenAI metrics.

The names, units, attributes and bucket boundaries are those of the semantic conventions for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md; the newest ones for
tokens: gen-ai-token-metrics.md); cost has none there, and is named for nbtokens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from nbtokens.formats.providers import is_private

if TYPE_CHECKING:
    from nbtokens.record import Record

_TOKENS: Final = [float(4**n) for n in range(14)]
_SECONDS: Final = [0.01 * 2**n for n in range(14)]
_HTTPS: Final = 443
_FIRST_ERROR: Final = 400
_NAME: Final = re.compile(r"[\w.:-]{1,80}")
_PROVIDERS: Final = {"moonshotai": "moonshot_ai"}
"""Providers that the conventions name otherwise than the price data does."""


class _Tokens(Protocol):
    def count(self, record: Record, about: dict[str, Any], failed: dict[str, str]) -> None:
        """Count the tokens of one call."""


class Instruments:
    """The instruments of one meter.

    Args:
        meter: the API's Meter.
        latest: whether tokens are counted by the newest conventions, which are still being made.
    """

    def __init__(self, meter: Any, *, latest: bool = False) -> None:  # noqa: ANN401 - the API's Meter
        self._tokens: _Tokens = _LatestTokens(meter) if latest else _TokenUsage(meter)
        self._duration = _histogram(
            meter, "gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS
        )
        self._first = _histogram(
            meter,
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time from sending the request to the first chunk of a streamed answer.",
            _SECONDS,
        )
        self._cost = meter.create_counter("nbtokens.client.cost", "{USD}", "Cost of the calls whose price is known.")
        self._unpriced = meter.create_counter("nbtokens.client.unpriced", "{call}", "Calls whose price is not known.")

    def count(self, record: Record) -> None:
        """Count one call."""
        about = attributes(record)
        failed = {"error.type": _error_type(record)} if record.status == "error" else {}
        self._tokens.count(record, about, failed)
        if record.duration_s is not None:
            self._duration.record(record.duration_s, about | failed)
        if record.stream and record.time_to_first_chunk_s is not None:
            self._first.record(record.time_to_first_chunk_s, about)
        if record.cost_usd is not None:
            self._cost.add(float(record.cost_usd), about)
        elif record.input_tokens or record.output_tokens:
            self._unpriced.add(1, about)


class _TokenUsage:
    """The histogram that dashboards know."""

    def __init__(self, meter: Any) -> None:  # noqa: ANN401 - the API's Meter
        about = "Number of input and output tokens used."
        self._usage = _histogram(meter, "gen_ai.client.token.usage", "{token}", about, _TOKENS)

    def count(self, record: Record, about: dict[str, Any], failed: dict[str, str]) -> None:
        del failed  # the conventions have no error.type here
        about = about | _source(record)
        for kind, tokens in (("input", record.input_tokens), ("output", record.output_tokens)):
            if tokens is not None:
                self._usage.record(tokens, {**about, "gen_ai.token.type": kind})


class _LatestTokens:
    """What takes that histogram's place: counters for sums, and a histogram for each direction."""

    def __init__(self, meter: Any) -> None:  # noqa: ANN401 - the API's Meter
        def counter(name: str, about: str) -> Any:  # noqa: ANN401 - the API's Counter
            return meter.create_counter(f"gen_ai.client.inference.usage.{name}", "{token}", about)

        self._sums = {
            "input_tokens": counter("input_tokens", "Input tokens, those from a cache among them."),
            "output_tokens": counter("output_tokens", "Output tokens, those of reasoning among them."),
            "cache_read_input_tokens": counter("cache_read.input_tokens", "Input tokens read from a cache."),
            "cache_creation_input_tokens": counter("cache_write.input_tokens", "Input tokens written to a cache."),
            "reasoning_output_tokens": counter("reasoning.output_tokens", "Output tokens of reasoning."),
        }
        self._of_one_call = {
            name: _histogram(
                meter,
                f"gen_ai.client.inference.operation.{name}",
                "{token}",
                f"The {kind} tokens of one call.",
                _TOKENS,
            )
            for name, kind in (("input_tokens", "input"), ("output_tokens", "output"))
        }

    def count(self, record: Record, about: dict[str, Any], failed: dict[str, str]) -> None:
        about = about | _source(record)
        without = 0 if record.input_tokens is None and record.output_tokens is None else None
        for name in self._sums:
            tokens = getattr(record, name)
            if name in self._of_one_call:
                tokens = without if tokens is None else tokens
                if tokens is not None:
                    self._of_one_call[name].record(tokens, about | failed)
            if tokens is not None:
                self._sums[name].add(tokens, {**about, "gen_ai.token.modality": "unknown"})


def attributes(record: Record) -> dict[str, str | int]:
    """The standard attributes of a call; those that are not known are left out."""
    host, port = _server(record.server_address)
    named = {
        "gen_ai.operation.name": record.call_type or "chat",
        "gen_ai.provider.name": _PROVIDERS.get(record.provider or "", record.provider) or "_OTHER",
        "gen_ai.request.model": record.request_model,
        "gen_ai.response.model": record.model,
        "server.address": host,
        "server.port": port,
        "nbtokens.operation": record.operation,
    }
    return {name: value for name, value in named.items() if value is not None}


def _server(address: str | None) -> tuple[str | None, int | None]:
    """Host and port. A row has no port where the URL names none: at a public host that is the port of HTTPS."""
    if address is None:
        return None, None
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return address, None
    return host, port or (None if host is None or is_private(host) else _HTTPS)


def _source(record: Record) -> dict[str, str]:
    """Tokens that the provider did not report are marked: they were counted here."""
    return {"nbtokens.usage_source": "estimated"} if record.usage_source == "estimated" else {}


def _error_type(record: Record) -> str:
    """The HTTP status of a call that was refused, else the name of the provider's error or of the exception."""
    if record.http_status is not None and record.http_status >= _FIRST_ERROR:
        return str(record.http_status)
    return record.error if record.error is not None and _NAME.fullmatch(record.error) else "_OTHER"


def _histogram(meter: Any, name: str, unit: str, about: str, bounds: list[float]) -> Any:  # noqa: ANN401 - the API's
    return meter.create_histogram(name, unit, about, explicit_bucket_boundaries_advisory=bounds)
