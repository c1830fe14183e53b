"""A collector that is not there, is slow, refuses or hangs up: nobody notices, but who asks the doctor."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from ledgers import ROOT, Ledger
from servers import PATIENCE, Answer, refusing_url, scripted, wait_until
from telemetry.conftest import CALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledgers import Script
    from servers import ScriptedServer

    from nbtokens.demo.endpoint import Endpoint

UNTIL_IT_FAILED: Final = """
from nbtokens.telemetry.outside import metrics_facts
while metrics_facts()["last_error"] is None:
    time.sleep(0.01)
print(metrics_facts()["last_error"])
"""
ANSWERS: Final = {
    "refuses": Answer(status=400),
    "is overloaded": Answer(status=503),
    "hangs up": Answer(end="reset", body=b"x"),
}
NEVER: Final = "1000"
"""Seconds for which the exporter would wait, and so the process, if it did."""


@contextmanager
def calling(folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that makes its calls, and the same again when it is told to; killed with the block."""
    (folder / ".metrics").mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"{CALLS}\ninput()\n{CALLS}"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LAST_WAIT": "1",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            **environment,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_no_fault_of_a_collector_reaches_the_user(simulated: Endpoint, tmp_path: Path) -> None:
    """Whatever it does, all calls are recorded, nothing is printed, and the process does not wait to the end for it."""
    reached: list[Callable[[], object]] = []
    with ExitStack() as stack:
        urls = {"nobody listens": refusing_url(), "nobody listens by grpc": refusing_url()}
        for name in ("is silent", "is silent by grpc"):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(PATIENCE)
            urls[name] = f"http://127.0.0.1:{listener.getsockname()[1]}"
            reached.append(lambda one=listener: stack.enter_context(one.accept()[0]))
        for name, answer in ANSWERS.items():
            server = stack.enter_context(scripted())
            server.will(answer)
            urls[name] = server.url
            reached.append(lambda one=server: wait_until(lambda: bool(one.asked)))
        processes = {
            name: stack.enter_context(
                calling(
                    tmp_path / name,
                    MODEL_URL=simulated.base_url,
                    OTEL_EXPORTER_OTLP_ENDPOINT=url,
                    OTEL_EXPORTER_OTLP_PROTOCOL="grpc" if name.endswith("grpc") else "http/protobuf",
                    OTEL_EXPORTER_OTLP_TIMEOUT=NEVER,
                )
            )
            for name, url in urls.items()
        }
        for one in reached:
            one()
        said = {name: one.communicate("\n", timeout=2 * PATIENCE)[0] for name, one in processes.items()}
        assert said == dict.fromkeys(urls, "")
        assert {one.returncode for one in processes.values()} == {0}
    for name in urls:
        assert len(Ledger(tmp_path / name / ".metrics").rows()) == 8


def test_the_doctor_tells(script: Script, simulated: Endpoint, server: ScriptedServer) -> None:
    """Why metrics do not arrive is kept for who asks: with the collector's answer, without the URL's password."""
    server.will(Answer(status=418))
    asks = 'from nbtokens.cli import main\nmain(["doctor", "--format", "json"])'
    url = server.url.replace("//", "//ada:secret@")
    out = script(
        CALLS + UNTIL_IT_FAILED + asks,
        MODEL_URL=simulated.base_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_METRIC_EXPORT_INTERVAL="20",
    )
    error, _, told = out.partition("\n")
    health = json.loads(told)
    assert "418" in error
    assert health["metrics"]["sent_to"] == server.url
    assert health["metrics"]["protocol"] == "http/protobuf"
    (problem,) = [one for one in health["problems"] if "Metrics" in one]
    assert server.url in problem
    assert "418" in problem
    assert not health["failures"]


def test_what_could_not_be_sent_is_sent_later(script: Script, simulated: Endpoint, server: ScriptedServer) -> None:
    """Sums are those of the whole process: once the collector takes them, nothing is missing."""
    service = pytest.importorskip(
        "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", reason="the OTLP exporter is not installed"
    )
    server.will(Answer(status=400), Answer(status=400), Answer(status=200))
    until_it_went = """
from nbtokens.telemetry.outside import metrics_facts
while metrics_facts()["last_error"] is not None:
    time.sleep(0.01)
"""
    out = script(
        CALLS + UNTIL_IT_FAILED + until_it_went,
        MODEL_URL=simulated.base_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
        OTEL_METRIC_EXPORT_INTERVAL="20",
    )
    assert "400" in out
    (resource,) = service.ExportMetricsServiceRequest.FromString(server.asked[-1].body).resource_metrics
    durations = {one.name: one.histogram for one in resource.scope_metrics[0].metrics}[
        "gen_ai.client.operation.duration"
    ]
    assert sum(point.count for point in durations.data_points) == 4


def test_what_the_sdk_says_of_others(script: Script, simulated: Endpoint, server: ScriptedServer) -> None:
    """Only what it says of our sending is kept back; the user's own telemetry speaks as ever."""
    server.will(Answer(status=418))
    own = 'import logging\nlogging.getLogger("opentelemetry.exporter.otlp.proto.http").warning("of mine")'
    out = script(
        CALLS + UNTIL_IT_FAILED + own,
        MODEL_URL=simulated.base_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
        OTEL_METRIC_EXPORT_INTERVAL="20",
    )
    assert out.splitlines()[1:] == ["of mine"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child(script: Script, simulated: Endpoint) -> None:
    """A child has nothing to send of its parent's, and does not wait at its end."""
    forks = """
import nbtokens.telemetry.export as export
class Event(export.threading.Event):
    def wait(self, timeout=None):
        if os.getpid() != parent:
            print("waited")
        return super().wait(timeout)
parent = os.getpid()
export.threading.Event, kept = Event, export.threading.Event
if os.fork() == 0:
    sys.exit()
os.wait()
export.threading.Event = kept
"""
    out = script(
        CALLS + forks, MODEL_URL=simulated.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=refusing_url(), LAST_WAIT="0.1"
    )
    assert out == ""
