"""What OpenTelemetry's variables say is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from telemetry.conftest import ARRIVED, BEGIN, CALLS

from nbtokens.otlp import Destination, destination, interval

if TYPE_CHECKING:
    from ledgers import Ledger, Script
    from telemetry.conftest import Receiver

    from nbtokens.demo.endpoint import Endpoint

DELTA = 1
HERE = "http://localhost:4318"
AT_GRPC = "http://localhost:4317"


@pytest.mark.parametrize(
    ("environment", "goes"),
    [
        ("", None),
        ("ENDPOINT=http://c:1", Destination("http://c:1", "http/protobuf")),
        ("ENDPOINT=", None),
        ("METRICS_ENDPOINT=http://m:1", Destination("http://m:1", "http/protobuf")),
        ("ENDPOINT=http://c:1 METRICS_ENDPOINT=http://m:1", Destination("http://m:1", "http/protobuf")),
        ("ENDPOINT=http://c:1 PROTOCOL=grpc", Destination("http://c:1", "grpc")),
        (
            "ENDPOINT=http://c:1 PROTOCOL=grpc METRICS_PROTOCOL=http/protobuf",
            Destination("http://c:1", "http/protobuf"),
        ),
        ("ENDPOINT=http://c:1 PROTOCOL=grcp", Destination("http://c:1", "http/protobuf", "grcp")),
        ("ENDPOINT=http://c:1 OTEL_METRICS_EXPORTER=none", None),
        ("ENDPOINT=http://c:1 OTEL_METRICS_EXPORTER=prometheus", None),
        ("ENDPOINT=http://c:1 OTEL_METRICS_EXPORTER=console,otlp", Destination("http://c:1", "http/protobuf")),
        ("OTEL_METRICS_EXPORTER=otlp", Destination(HERE, "http/protobuf")),
        ("OTEL_METRICS_EXPORTER=otlp PROTOCOL=grpc", Destination(AT_GRPC, "grpc")),
        ("ENDPOINT=http://c:1 OTEL_SDK_DISABLED=True", None),
        ("ENDPOINT=http://c:1 OTEL_SDK_DISABLED=yes", Destination("http://c:1", "http/protobuf")),
    ],
)
def test_where_metrics_go(environment: str, goes: Destination | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the specification has it; what is empty is unset, and a protocol that is none is told of."""
    for pair in environment.split():
        name, _, value = pair.partition("=")
        monkeypatch.setenv(name if name.startswith("OTEL") else f"OTEL_EXPORTER_OTLP_{name}", value)
    assert destination() == goes


@pytest.mark.parametrize(("said", "seconds"), [("", 60), ("500", 0.5), ("soon", 60), ("0", 60), ("inf", 60)])
def test_how_often(said: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds, a minute where that is none."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", said)
    assert interval() == seconds


def test_what_the_exporter_reads(receiver: Receiver, script: Script, simulated: Endpoint, ledger: Ledger) -> None:
    """Headers, compression, the resource, and differences instead of sums, which come to the history's together."""
    out = script(
        CALLS + ARRIVED + CALLS,
        MODEL_URL=simulated.base_url,
        RECEIVER_URL=receiver.url,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS="dd-api-key=general",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS="dd-api-key=of%20metrics",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="base2_exponential_bucket_histogram",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_METRIC_EXPORT_INTERVAL="20",
        OTEL_SERVICE_NAME="told",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=lab,service.name=other",
    )
    assert out == ""
    sendings = receiver.sendings("told")
    assert len(sendings) > 1
    headers = [headers for headers, message in receiver.got if "told" in str(message.resource_metrics)]
    assert {(one["dd-api-key"], one["content-encoding"]) for one in headers} == {("of metrics", "gzip")}
    assert {resource["deployment.environment.name"] for resource, _ in sendings} == {"lab"}
    durations = [
        metrics["gen_ai.client.operation.duration"]
        for _, metrics in sendings
        if "gen_ai.client.operation.duration" in metrics
    ]
    assert {one.data.aggregation_temporality for one in durations} == {DELTA}
    assert {type(one.data).__name__ for one in durations} == {"ExponentialHistogram"}
    points = [point for one in durations for _, point in one.points]
    assert sum(point.count for point in points) == len(ledger.rows()) == 8
    assert sum(point.sum for point in points) == pytest.approx(sum(row["duration_s"] for row in ledger.rows()))


def test_the_newest_conventions(receiver: Receiver, script: Script, ledger: Ledger) -> None:
    """Who opts in gets tokens as counters, cached and reasoned ones too, and no `gen_ai.client.token.usage`."""
    records = """
import nbtokens
nbtokens.record(model="m", input_tokens=100, output_tokens=50, cache_read_input_tokens=30,
                cache_creation_input_tokens=20, reasoning_output_tokens=40, provider="openai", cost_usd=1)
nbtokens.record(model="m", input_tokens=10, output_tokens=0, provider="openai", cost_usd=1)
nbtokens.record(model="m", input_tokens=0, provider="openai", status="error", error="APITimeoutError", cost_usd=0)
"""
    script(
        BEGIN + records,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_SERVICE_NAME="newest",
        OTEL_SEMCONV_STABILITY_OPT_IN="http,gen_ai_latest_experimental",
    )
    metrics = receiver.last("newest")
    usage = "gen_ai.client.inference.usage."
    assert {
        name.removeprefix(usage): [(about["gen_ai.token.modality"], point.as_int) for about, point in one.points]
        for name, one in metrics.items()
        if name.startswith(usage)
    } == {
        "input_tokens": [("unknown", 110)],
        "output_tokens": [("unknown", 50)],
        "cache_read.input_tokens": [("unknown", 30)],
        "cache_write.input_tokens": [("unknown", 20)],
        "reasoning.output_tokens": [("unknown", 40)],
    }
    calls = metrics["gen_ai.client.inference.operation.input_tokens"]
    assert [(about.get("error.type"), point.count, point.sum) for about, point in calls.points] == [
        (None, 2, 110),
        ("APITimeoutError", 1, 0),
    ]
    assert calls.unit == "{token}"
    assert "gen_ai.client.token.usage" not in metrics


def test_an_exporter_that_is_missing(script: Script) -> None:
    """Who asks for gRPC without having its exporter is told by the doctor what to install; calls are recorded."""
    missing = """
import json, sys
import nbtokens.escapes
from importlib.metadata import PackageNotFoundError, version
def without(name):
    if name.endswith("-grpc"):
        raise PackageNotFoundError(name)
    return version(name)
nbtokens.escapes.version = without
sys.modules["opentelemetry.exporter.otlp.proto.grpc.metric_exporter"] = None
import nbtokens
from nbtokens.cli import main
nbtokens.record(model="m", input_tokens=1, cost_usd=1)
main(["doctor", "--format", "json"])
"""
    pytest.importorskip("opentelemetry.sdk", reason="the OpenTelemetry SDK is not installed")
    health = json.loads(
        script(missing, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    )
    package = "opentelemetry-exporter-otlp-proto-grpc"
    assert health["metrics"] == {
        "sent_to": "http://127.0.0.1:9",
        "protocol": "grpc",
        "last_error": f"{package} is not installed",
        "advice": f"pip install {package}",
    }
    assert any(package in one for one in health["problems"])
    assert not health["failures"]


def test_what_the_exporter_can_not_do(script: Script, ledger: Ledger) -> None:
    """A value that the exporter refuses is no fault of nbtokens: calls are recorded, and the doctor says what it is."""
    tells = """
import json, time, nbtokens
from nbtokens.cli import main
from nbtokens.telemetry.outside import metrics_facts
nbtokens.record(model="m", input_tokens=1, cost_usd=1)
while metrics_facts()["last_error"] is None:
    time.sleep(0.01)
main(["doctor", "--format", "json"])
"""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="the gRPC exporter is not installed")
    endpoint = "http://127.0.0.1:9"
    out = script(
        tells,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_EXPORTER_OTLP_TIMEOUT="soon",
    )
    health = json.loads(out)
    assert "soon" in health["metrics"]["last_error"]
    assert not health["failures"]
    assert len(ledger.rows()) == 1
