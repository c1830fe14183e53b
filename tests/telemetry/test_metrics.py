"""OpenTelemetry metrics, as a receiver of OTLP and as an SDK of the user's own see them."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint

CALLS = """
import os, sys, warnings
import httpx, nbtokens
nbtokens.enable()
with nbtokens.operation("answer"), httpx.Client() as client:
    for stream in (False, True):
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        with client.stream("POST", os.environ["MODEL_URL"] + "/v1/chat/completions", json=body) as answer:
            answer.read()
nbtokens.record(model="m", input_tokens=1000, output_tokens=70, cost_usd="0.5", provider="openai", duration_s=2.0)
nbtokens.record(model="m", input_tokens=0, provider="openai", status="error", http_status=429, duration_s=0.1)
"""


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[Any]]]:
    """A receiver of OTLP over HTTP: its URL, and the metrics that it was sent, decoded."""
    service = pytest.importorskip(
        "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", reason="the OTLP exporter is not installed"
    )
    got: list[Any] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/metrics"
            got.append(service.ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def sent(got: list[Any]) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """The last state of each metric: the attributes and the point."""
    points: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    (resource,) = got[-1].resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "nbtokens"
    for metric in scope.metrics:
        data = getattr(metric, metric.WhichOneof("data")).data_points
        points[f"{metric.name} {metric.unit}"] = [
            ({one.key: one.value.string_value or one.value.int_value for one in point.attributes}, point)
            for point in data
        ]
    return points


def test_sent_where_the_environment_says(
    receiver: tuple[str, list[Any]], script: Script, simulated: Endpoint, ledger: Ledger
) -> None:
    """The standard metrics with the standard attributes, and the cost, all sent by the end of the process."""
    url, got = receiver
    out = script(CALLS, MODEL_URL=simulated.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert out == ""
    points = sent(got)
    assert set(points) == {
        "gen_ai.client.token.usage {token}",
        "gen_ai.client.operation.duration s",
        "gen_ai.client.operation.time_to_first_chunk s",
        "nbtokens.client.cost {USD}",
        "nbtokens.client.unpriced {call}",
    }
    by_hand = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
    }
    tokens = {json.dumps(about, sort_keys=True): point for about, point in points["gen_ai.client.token.usage {token}"]}
    ours = tokens[json.dumps({**by_hand, "gen_ai.token.type": "output"}, sort_keys=True)]
    assert (ours.sum, list(ours.explicit_bounds)) == (70, [4.0**n for n in range(14)])
    assert sum(point.sum for about, point in points["gen_ai.client.token.usage {token}"]) == sum(
        row["total_tokens"] for row in ledger.rows()
    )
    durations = points["gen_ai.client.operation.duration s"]
    assert sum(point.count for _, point in durations) == 4
    assert [point.sum for about, point in durations if about.get("error.type") == "429"] == [0.1]
    assert [(about, point.as_double) for about, point in points["nbtokens.client.cost {USD}"] if about == by_hand] == [
        (by_hand, 0.5)
    ]
    ((about, point),) = points["gen_ai.client.operation.time_to_first_chunk s"]
    assert (about["nbtokens.operation"], about["server.address"], point.count) == ("answer", "127.0.0.1", 1)
    assert about["server.port"] == int(simulated.base_url.rpartition(":")[2])


def test_an_sdk_that_is_set_up(script: Script, simulated: Endpoint) -> None:
    """The process's own MeterProvider gets the metrics, also one that is set up after recording has begun."""
    pytest.importorskip("opentelemetry.sdk.metrics", reason="the OpenTelemetry SDK is not installed")
    own = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
"""
    later = CALLS.replace("with nbtokens", own + "metrics.set_meter_provider(MeterProvider([reader]))\nwith nbtokens")
    end = """
from nbtokens.telemetry.outside import _Outside
_Outside.exporter.flush()
(resource,) = reader.get_metrics_data().resource_metrics
for metric in resource.scope_metrics[0].metrics:
    print(metric.name, sum(getattr(one, "count", 1) for one in metric.data.data_points))
"""
    assert dict(line.split() for line in script(later + end, MODEL_URL=simulated.base_url).splitlines()) == {
        "gen_ai.client.token.usage": "8",
        "gen_ai.client.operation.duration": "4",
        "gen_ai.client.operation.time_to_first_chunk": "1",
        "nbtokens.client.cost": "1",
        "nbtokens.client.unpriced": "1",
    }


def test_without_an_sdk_nothing_is_loaded(script: Script, simulated: Endpoint) -> None:
    """Where nobody asks for metrics, nothing of OpenTelemetry is imported, and no thread is started."""
    look = "import threading\nprint([one for one in sys.modules if one.startswith('opentelemetry')],"
    look += " [one.name for one in threading.enumerate() if 'telemetry' in one.name])"
    assert script(CALLS + look, MODEL_URL=simulated.base_url).split() == ["[]", "[]"]


def test_nobody_listens(script: Script, simulated: Endpoint, ledger: Ledger) -> None:
    """A collector that is not there: every call is recorded, nothing fails, and the process ends."""
    script(CALLS, MODEL_URL=simulated.base_url, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert len(ledger.rows()) == 4


def test_the_exporter_is_not_installed(script: Script, simulated: Endpoint, ledger: Ledger) -> None:
    """The variable is set for other programs, and the SDK is missing: nothing fails."""
    missing = "import sys\nfor name in ('opentelemetry', 'opentelemetry.metrics'): sys.modules[name] = None\n"
    script(missing + CALLS, MODEL_URL=simulated.base_url, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert len(ledger.rows()) == 4


def test_named_later(script: Script, simulated: Endpoint) -> None:
    """An endpoint that is named once recording has begun counts from the next cell on, not in the middle of one."""
    later = """
import threading
from nbtokens.context import Place, enter_cell
def exports():
    return any("telemetry" in one.name for one in threading.enumerate())
os.environ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = "http://127.0.0.1:9"
nbtokens.record(model="m", input_tokens=1)
before = exports()
enter_cell(Place())
nbtokens.record(model="m", input_tokens=1)
print(before, exports())
"""
    assert script(CALLS + later, MODEL_URL=simulated.base_url).split() == ["False", "True"]
