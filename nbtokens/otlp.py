"""Where the environment wants OpenTelemetry's metrics sent, and how, by the variables of its specification.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/. The exporter reads the others itself: headers, timeout,
compression, certificates, temporality, aggregation. Nothing of OpenTelemetry is imported here.
"""

from __future__ import annotations

import os
import threading
from typing import Final, NamedTuple

_PLAIN: Final = "http/protobuf"
_MODULES: Final = {
    _PLAIN: "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.metric_exporter",
}
_PACKAGES: Final = {
    _PLAIN: "opentelemetry-exporter-otlp-proto-http",
    "grpc": "opentelemetry-exporter-otlp-proto-grpc",
}
_DEFAULTS: Final = {_PLAIN: "http://localhost:4318", "grpc": "http://localhost:4317"}
_LATEST: Final = "gen_ai_latest_experimental"
_INTERVAL: Final = 60.0


class Destination(NamedTuple):
    """Where metrics go.

    Attributes:
        endpoint: as the environment gives it; with a password, if there is one in it.
        protocol: `http/protobuf` or `grpc`.
        unknown: the protocol that is asked for instead and is none of these.
    """

    endpoint: str
    protocol: str
    unknown: str | None = None

    @property
    def shown(self) -> str:
        """The endpoint without a password."""
        before, _, after = self.endpoint.rpartition("@")
        scheme, found, _ = before.partition("://")
        return f"{scheme}://{after}" if found else after

    @property
    def module(self) -> str:
        """The module that sends so."""
        return _MODULES[self.protocol]

    @property
    def package(self) -> str:
        """The package that this module comes with."""
        return _PACKAGES[self.protocol]


def destination() -> Destination | None:
    """What the environment says now; None where nothing is to be sent."""
    endpoint = _first("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporters = _listed("OTEL_METRICS_EXPORTER")
    wanted = "otlp" in exporters if exporters else endpoint is not None
    if not wanted or _is_true("OTEL_SDK_DISABLED"):
        return None
    asked = _first("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or _PLAIN
    protocol = asked if asked in _MODULES else _PLAIN
    return Destination(endpoint or _DEFAULTS[protocol], protocol, None if asked == protocol else asked)


def interval() -> float:
    """Seconds between two sendings."""
    try:
        seconds = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")) / 1000
    except ValueError:
        return _INTERVAL
    return seconds if 0 < seconds <= threading.TIMEOUT_MAX else _INTERVAL


def wants_latest() -> bool:
    """Whether the newest conventions for generative AI are asked for, which are still being made."""
    return _LATEST in _listed("OTEL_SEMCONV_STABILITY_OPT_IN")


def _first(*names: str) -> str | None:
    """The first of some variables that is set; one that is empty is taken for unset, as the specification says."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


def _listed(name: str) -> set[str]:
    return {one.strip() for one in os.environ.get(name, "").split(",") if one.strip()}


def _is_true(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() == "true"
