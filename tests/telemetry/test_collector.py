"""Real calls of a real process, counted through a real collector: what arrives behind it is what the history says."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from servers import wait_until
from telemetry.conftest import ARRIVED, BEGIN, CALLS, SENT, collecting

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger, Script
    from telemetry.conftest import Collector, Points, Receiver

    from nbtokens.demo.endpoint import Endpoint

TOKENS: Final = [4**n for n in range(14)]
SECONDS: Final = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
UNITS: Final = {
    "gen_ai.client.token.usage": "{token}",
    "gen_ai.client.operation.duration": "s",
    "gen_ai.client.operation.time_to_first_chunk": "s",
    "nbtokens.client.cost": "{USD}",
    "nbtokens.client.unpriced": "{call}",
}
CUMULATIVE: Final = 2


def measured(row: dict[str, Any]) -> list[tuple[str, dict[str, Any], float]]:
    """What one row of the history comes to: metric, attributes and value."""
    host, _, port = row.get("server_address", "").rpartition(":")
    about = {
        "gen_ai.operation.name": row.get("call_type", "chat"),
        "gen_ai.provider.name": row.get("provider", "_OTHER"),
        "gen_ai.request.model": row.get("request_model"),
        "gen_ai.response.model": row["model"],
        "server.address": host or None,
        "server.port": int(port) if port else None,
        "nbtokens.operation": row.get("operation"),
    }
    about = {name: value for name, value in about.items() if value is not None}
    counted = {"nbtokens.usage_source": "estimated"} if row["usage_source"] == "estimated" else {}
    error = {"error.type": str(row["http_status"])} if row["status"] == "error" else {}
    found: list[tuple[str, dict[str, Any], float]] = [
        ("gen_ai.client.token.usage", {**about, **counted, "gen_ai.token.type": kind}, row[f"{kind}_tokens"])
        for kind in ("input", "output")
        if f"{kind}_tokens" in row
    ]
    found.append(("gen_ai.client.operation.duration", about | error, row["duration_s"]))
    if row.get("stream"):
        found.append(("gen_ai.client.operation.time_to_first_chunk", about, row["time_to_first_chunk_s"]))
    if "cost_usd" in row:
        found.append(("nbtokens.client.cost", about, float(row["cost_usd"])))
    elif row["total_tokens"]:
        found.append(("nbtokens.client.unpriced", about, 1))
    return found


def series(name: str, about: dict[str, Any]) -> tuple[Any, ...]:
    """A metric and its attributes, as a key."""
    return name, *sorted(about.items())


def equal_to_the_history(metrics: dict[str, Points], rows: list[dict[str, Any]]) -> None:
    """Every sum, count and bucket is that of the history's rows, with their attributes, and there is nothing else."""
    assert {name: one.unit for name, one in metrics.items()} == UNITS
    values: dict[tuple[Any, ...], list[float]] = {}
    for name, about, value in (one for row in rows for one in measured(row)):
        values.setdefault(series(name, about), []).append(value)
    assert {series(name, about) for name, one in metrics.items() for about, _ in one.points} == set(values)
    for name, metric in metrics.items():
        assert metric.data.aggregation_temporality == CUMULATIVE
        for about, point in metric.points:
            of_rows = values[series(name, about)]
            if name.startswith("nbtokens."):
                assert metric.data.is_monotonic
                assert point.as_double or point.as_int == pytest.approx(sum(of_rows))
                continue
            bounds = TOKENS if metric.unit == "{token}" else SECONDS
            buckets = Counter(bisect_left(bounds, value) for value in of_rows)
            assert (list(point.explicit_bounds), point.count) == (pytest.approx(bounds), len(of_rows))
            assert point.sum == pytest.approx(sum(of_rows))
            assert list(point.bucket_counts) == [buckets[index] for index in range(len(bounds) + 1)]


@pytest.mark.parametrize(
    "said",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "receiver"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "grpc",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
        },
    ],
    ids=["without a collector", "http", "grpc", "grpc for metrics"],
)
def test_what_arrives(
    said: dict[str, str], receiver: Receiver, script: Script, ledger: Ledger, request: pytest.FixtureRequest
) -> None:
    """By HTTP and by gRPC the history's sums, histograms, attributes and units come out of the collector."""
    calls = CALLS
    if "grpc" in said.values():
        calls += SENT  # gRPC can't be loaded any more by a process that is ending
        pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="the gRPC exporter is not installed")
    urls = {"receiver": receiver.url}
    if "receiver" not in said.values():
        collector: Collector = request.getfixturevalue("collector")
        urls |= {"http": collector.http, "grpc": collector.grpc}
    environment = {name: urls[value] if "ENDPOINT" in name else value for name, value in said.items()}
    service = request.node.name
    simulated: Endpoint = request.getfixturevalue("simulated")
    assert script(calls, MODEL_URL=simulated.base_url, OTEL_SERVICE_NAME=service, **environment) == ""
    equal_to_the_history(receiver.last(service), ledger.rows())
    assert len(ledger.rows()) == 4


def test_the_collector_dies_midway(
    receiver: Receiver, script: Script, simulated: Endpoint, ledger: Ledger, tmp_path: Path
) -> None:
    """What was counted before has arrived; the calls after it go on, all are recorded, and nothing is printed."""
    dies = """
import signal
os.kill(int(os.environ["COLLECTOR"]), signal.SIGKILL)
"""
    with collecting(receiver, tmp_path) as collector:
        out = script(
            CALLS + ARRIVED + dies + CALLS,
            MODEL_URL=simulated.base_url,
            RECEIVER_URL=receiver.url,
            COLLECTOR=str(collector.process),
            OTEL_SERVICE_NAME="midway",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.http,
            OTEL_METRIC_EXPORT_INTERVAL="20",
            LAST_WAIT="1",
        )
    assert out == ""
    assert len(ledger.rows()) == 8
    assert set(receiver.last("midway")) <= set(UNITS)


def test_two_processes(collector: Collector, receiver: Receiver, script: Script) -> None:
    """Each process is an instance of its own, so that two that count the same are not taken for one."""
    one = BEGIN + 'nbtokens.record(model="m", input_tokens=7, output_tokens=0, cost_usd=1)'
    for _ in range(2):
        script(one, OTEL_SERVICE_NAME="two", OTEL_EXPORTER_OTLP_ENDPOINT=collector.http)
    wait_until(lambda: len(receiver.sendings("two")) == 2)
    sendings = receiver.sendings("two")
    assert len({resource["service.instance.id"] for resource, _ in sendings}) == 2
    assert {resource["telemetry.sdk.language"] for resource, _ in sendings} == {"python"}
    costs = [point.as_double for _, metrics in sendings for _, point in metrics["nbtokens.client.cost"].points]
    assert costs == [1.0, 1.0]
