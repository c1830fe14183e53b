"""Records as OpenTelemetry's GenAI metrics, made on a thread of its own.

The names, units, attributes and bucket boundaries are those of the semantic conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/); cost has none there, and is named for nbtokens.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import threading
import time
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from nbtokens._version import __version__
from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

logger: Final = logging.getLogger("nbtokens")

_NONE_SET_UP: Final = ("_ProxyMeterProvider", "NoOpMeterProvider")
_TOKENS: Final = [float(4**n) for n in range(14)]
_SECONDS: Final = [0.01 * 2**n for n in range(14)]
_CHUNK_SECONDS: Final = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
_LAST_WAIT: Final = 5.0
_FLUSH_MS: Final = 2000
_INTERVAL: Final = 60.0


class Background:
    """Takes records at once, and counts them on a thread, on which the SDK is loaded too.

    Args:
        names_endpoint: whether to send by an exporter of our own where no SDK is set up.
    """

    def __init__(self, names_endpoint: Callable[[], bool]) -> None:
        self._names_endpoint = names_endpoint
        self._records: SimpleQueue[Record | threading.Event] = SimpleQueue()
        self._own: Any = None
        threading.Thread(target=self._run, name="nbtokens-telemetry", daemon=True).start()
        atexit.register(self.flush)

    def take(self, record: Record) -> None:
        """Take one more. A SimpleQueue may be used at any moment."""
        self._records.put(record)

    def flush(self) -> None:
        """Have everything counted and, by an exporter of our own, sent; at the end of the process at most 5 s."""
        done = threading.Event()
        self._records.put(done)
        done.wait(_LAST_WAIT)  # where nobody listens, the exporter would try for much longer

    def _run(self) -> None:
        instruments: Instruments | None = None
        every = _interval()
        due = time.monotonic() + every
        while True:
            item = None
            with contextlib.suppress(Empty):
                item = self._records.get(timeout=max(due - time.monotonic(), 0) if self._own is not None else None)
            if item is None or isinstance(item, threading.Event):
                self._send()
                due = time.monotonic() + every
                if item is not None:
                    item.set()
                continue
            with guarded:
                if instruments is None:
                    instruments = self._set_up()
                if instruments is None:  # not wanted, or not possible; what waits is let go
                    self._let_go()
                else:
                    instruments.count(item)

    def _send(self) -> None:
        if self._own is not None:
            with contextlib.suppress(Exception):  # nobody listens: that is no fault of ours
                self._own.force_flush(_FLUSH_MS)

    def _let_go(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                item = self._records.get_nowait()
                if isinstance(item, threading.Event):
                    item.set()

    def _set_up(self) -> Instruments | None:
        try:
            metrics: Any = import_module("opentelemetry.metrics")
            provider = metrics.get_meter_provider()
            if type(provider).__name__ in _NONE_SET_UP:
                provider = self._own = _own_provider() if self._names_endpoint() else None
        except ImportError as missing:
            logger.info("nbtokens: no metrics are sent: %s; pip install 'nbtokens[otel]'", missing)
            return None
        return None if provider is None else Instruments(provider.get_meter("nbtokens", __version__))


def _own_provider() -> Any:  # noqa: ANN401 - the SDK's MeterProvider
    """One that sends where the environment says. It is not made the process's own, which is the user's to choose."""
    sdk: Any = import_module("opentelemetry.sdk.metrics")
    reading: Any = import_module("opentelemetry.sdk.metrics.export")
    otlp: Any = import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    resources: Any = import_module("opentelemetry.sdk.resources")
    # No thread and no pool of the SDK's: neither can be begun in a process that ends soon after its first call.
    reader = reading.PeriodicExportingMetricReader(otlp.OTLPMetricExporter(), export_interval_millis=math.inf)
    named = resources.Resource({"service.name": "nbtokens"}).merge(resources.OTELResourceDetector().detect())
    return sdk.MeterProvider([reader], resource=named, shutdown_on_exit=False)


def _interval() -> float:
    """Seconds between two sendings, as the SDK reads them from the environment."""
    try:
        seconds = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")) / 1000
    except ValueError:
        return _INTERVAL
    return seconds if 0 < seconds <= threading.TIMEOUT_MAX else _INTERVAL


class Instruments:
    """The instruments of one meter."""

    def __init__(self, meter: Any) -> None:  # noqa: ANN401 - the API's Meter
        def histogram(name: str, unit: str, about: str, bounds: list[float]) -> Any:  # noqa: ANN401 - a Histogram
            return meter.create_histogram(name, unit, about, explicit_bucket_boundaries_advisory=bounds)

        self._tokens = histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
        )
        self._duration = histogram("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS)
        self._first = histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time from sending the request to the first chunk of a streamed answer.",
            _CHUNK_SECONDS,
        )
        self._cost = meter.create_counter("nbtokens.client.cost", "{USD}", "Cost of the calls whose price is known.")
        self._unpriced = meter.create_counter("nbtokens.client.unpriced", "{call}", "Calls whose price is not known.")

    def count(self, record: Record) -> None:
        """Count one call."""
        about = attributes(record)
        for kind, tokens in (("input", record.input_tokens), ("output", record.output_tokens)):
            if tokens is not None:
                self._tokens.record(tokens, {**about, "gen_ai.token.type": kind})
        failed = {"error.type": str(record.http_status or "_OTHER")} if record.status == "error" else {}
        if record.duration_s is not None:
            self._duration.record(record.duration_s, about | failed)
        if record.stream and record.time_to_first_chunk_s is not None:
            self._first.record(record.time_to_first_chunk_s, about)
        if record.cost_usd is not None:
            self._cost.add(float(record.cost_usd), about)
        elif record.input_tokens or record.output_tokens:
            self._unpriced.add(1, about)


def attributes(record: Record) -> dict[str, str | int]:
    """The standard attributes of a call; those that are not known are left out."""
    host, _, port = (record.server_address or "").rpartition(":")
    named = {
        "gen_ai.operation.name": record.call_type or "chat",
        "gen_ai.provider.name": record.provider or "_OTHER",
        "gen_ai.request.model": record.request_model,
        "gen_ai.response.model": record.model,
        "server.address": host if port.isdecimal() and host else record.server_address,
        "server.port": int(port) if port.isdecimal() and host else None,
        "nbtokens.operation": record.operation,
    }
    return {name: value for name, value in named.items() if value is not None}
