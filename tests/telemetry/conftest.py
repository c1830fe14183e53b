"""A receiver of OTLP over HTTP, a real collector that sends on to it, and what programs are started with."""

from __future__ import annotations

import gzip
import importlib.util
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from servers import refusing_url, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BEGIN: Final = """
import os, sys, time
import nbtokens.telemetry.export
nbtokens.telemetry.export._LAST_WAIT = float(os.environ.get("LAST_WAIT", 60))
"""
"""How programs begin that may need long to send, on a busy machine."""
CALLS: Final = f"""{BEGIN}
os.dup2(1, 2)  # all that is printed, also by what is not Python, is looked at
import httpx, nbtokens
nbtokens.enable()
with nbtokens.operation("answer"), httpx.Client() as client:
    for stream in (False, True):
        body = {{"model": "m", "messages": [{{"role": "user", "content": "hi"}}], "stream": stream}}
        with client.stream("POST", os.environ["MODEL_URL"] + "/v1/chat/completions", json=body) as answer:
            answer.read()
nbtokens.record(model="m", input_tokens=1000, output_tokens=70, cost_usd="0.5", provider="openai", duration_s=2.0)
nbtokens.record(model="m", input_tokens=0, provider="openai", status="error", http_status=429, duration_s=0.1)
"""
SENT: Final = """
from nbtokens.telemetry.outside import _Outside
_Outside.exporter.flush()
"""
"""Has all sent before the process ends."""
ARRIVED: Final = """
while not int(httpx.get(os.environ["RECEIVER_URL"] + "/" + os.environ["OTEL_SERVICE_NAME"]).text):
    time.sleep(0.01)
"""
"""Waits until something of this program has arrived."""
_TRIES: Final = 10


@dataclass
class Points:
    """The points of one metric, as sent at one time.

    Attributes:
        unit: of the metric.
        data: the protocol's `Sum`, `Histogram` or `ExponentialHistogram`.
        points: attributes -> the protocol's point.
    """

    unit: str
    data: Any
    points: list[tuple[dict[str, Any], Any]]


@dataclass
class Receiver:
    """What was sent to it.

    Attributes:
        url: where it listens.
        got: the headers and the message of each request, in their order.
    """

    url: str = ""
    got: list[tuple[dict[str, str], Any]] = field(default_factory=list, repr=False)

    def sendings(self, service: str) -> list[tuple[dict[str, Any], dict[str, Points]]]:
        """What one service has sent, in its order: the resource's attributes, and the metrics by their names."""
        return [
            (_named(one.resource.attributes), _metrics(one))
            for _, message in list(self.got)
            for one in message.resource_metrics
            if _named(one.resource.attributes)["service.name"] == service
        ]

    def last(self, service: str) -> dict[str, Points]:
        """The last state of a service's metrics, once it has arrived."""
        wait_until(lambda: bool(self.sendings(service)))
        return self.sendings(service)[-1][1]


def _named(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - the protocol's own
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def _metrics(resource: Any) -> dict[str, Points]:  # noqa: ANN401 - the protocol's own
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "nbtokens"
    found = {}
    for metric in scope.metrics:
        data = getattr(metric, metric.WhichOneof("data"))
        found[metric.name] = Points(metric.unit, data, [(_named(one.attributes), one) for one in data.data_points])
    return found


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """A receiver of OTLP over HTTP."""
    service = pytest.importorskip(
        "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", reason="the OTLP exporter is not installed"
    )
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/metrics"
            message = service.ExportMetricsServiceRequest.FromString(body)
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, message))
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(str(len(receiver.sendings(self.path[1:]))).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        yield receiver
        server.shutdown()
        thread.join()


@contextmanager
def started(command: Callable[[list[str]], Sequence[str]], ports: int, log: Path) -> Iterator[tuple[int, list[str]]]:
    """Run a server on free ports: its process' id, and where it listens; ended with the block.

    A port that was free may be taken before the server listens there; then it is started again, on others.
    """
    for _ in range(_TRIES):
        addresses = [urlsplit(refusing_url()).netloc for _ in range(ports)]
        with log.open("wb") as said:
            process = subprocess.Popen(command(addresses), stdout=said, stderr=subprocess.STDOUT, cwd=log.parent)
        try:
            wait_until(lambda: process.poll() is not None or all(map(_listens, addresses)))  # noqa: B023 - at once
            if process.poll() is None:
                yield process.pid, addresses
                return
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    pytest.fail(f"{command([])[0]} does not start: {log.read_text()}")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


@dataclass
class Collector:
    """A collector that runs.

    Attributes:
        process: its id.
        grpc, http: the URLs where it takes OTLP.
    """

    process: int
    grpc: str
    http: str


@contextmanager
def collecting(receiver: Receiver, folder: Path) -> Iterator[Collector]:
    """A real collector (rotel, which PyPI has), as a process of its own, that sends on to the receiver at once."""
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        pytest.skip("the collector is not installed: pip install rotel")
    agent = str(Path(found.origin).with_name("rotel-agent"))

    def command(addresses: list[str]) -> list[str]:
        takes = [f"--otlp-{name}-endpoint={at}" for name, at in zip(("grpc", "http"), addresses, strict=False)]
        sends = ["--exporter=otlp", "--otlp-exporter-protocol=http", f"--otlp-exporter-endpoint={receiver.url}"]
        return [agent, "start", *takes, *sends, "--batch-timeout=10ms"]

    with started(command, 2, folder / "collector.log") as (process, (grpc, http)):
        yield Collector(process, f"http://{grpc}", f"http://{http}")


@pytest.fixture(scope="session")
def collector(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector for all tests, which tell what is theirs by the name of their service."""
    with collecting(receiver, tmp_path_factory.mktemp("collector")) as running:
        yield running
