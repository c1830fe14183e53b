"""A record's attributes, as the conventions have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from nbtokens.record import Record
from nbtokens.telemetry.instruments import attributes

if TYPE_CHECKING:
    from ledgers import Script


def call(**fields: Any) -> Record:  # noqa: ANN401 - the row's own
    """A call's row."""
    return Record(v=1, kind="call", id="1", started_at=datetime.now(UTC), **fields)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("api.openai.com", "api.openai.com", 443),
        ("gateway.example.com:8080", "gateway.example.com", 8080),
        ("127.0.0.1:11434", "127.0.0.1", 11434),
        ("[::1]:8000", "::1", 8000),
        ("ollama", "ollama", None),
        ("host:port", "host:port", None),
        (None, None, None),
    ],
)
def test_where_a_call_went(address: str | None, host: str | None, port: int | None) -> None:
    """A public host has a port, also where the URL names none: that of HTTPS. Of a private one it is not known."""
    about = attributes(call(server_address=address))
    assert (about.get("server.address"), about.get("server.port")) == (host, port)


def test_what_went_wrong(script: Script) -> None:
    """The status that refused it, else the name of the error; never what may be different each time."""
    pytest.importorskip("opentelemetry.sdk", reason="the OpenTelemetry SDK is not installed")
    calls = """
    import nbtokens
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    import nbtokens.telemetry.export
    from nbtokens.telemetry.outside import _Outside
    nbtokens.telemetry.export._LAST_WAIT = 60
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    for http_status, error in (
        (429, "rate_limit_error"), (200, "overloaded_error"), (None, "APITimeoutError"),
        (None, "a sentence that somebody has written"), (None, None),
    ):
        nbtokens.record(
            model="m", input_tokens=0, status="error", duration_s=1.0, http_status=http_status, error=error, cost_usd=0
        )
    _Outside.exporter.flush()
    (resource,) = reader.get_metrics_data().resource_metrics
    (durations,) = [one for one in resource.scope_metrics[0].metrics if one.name == "gen_ai.client.operation.duration"]
    for point in durations.data.data_points:
        print(point.attributes["error.type"], point.count)
    """
    assert script(calls).splitlines() == ["429 1", "overloaded_error 1", "APITimeoutError 1", "_OTHER 2"]


def test_names_of_the_conventions() -> None:
    """A provider that has a name there is called by it."""
    assert attributes(call(provider="moonshotai"))["gen_ai.provider.name"] == "moonshot_ai"
    assert attributes(call(provider="mistral_ai"))["gen_ai.provider.name"] == "mistral_ai"
    assert attributes(call())["gen_ai.provider.name"] == "_OTHER"
