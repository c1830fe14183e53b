"""When metrics are made: for an SDK of the user's own, for what the environment says, and else not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from telemetry.conftest import CALLS

if TYPE_CHECKING:
    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint


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


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
    ids=["unset", "no exporter", "disabled"],
)
def test_without_an_sdk_nothing_is_loaded(environment: dict[str, str], script: Script, simulated: Endpoint) -> None:
    """Where nobody asks for metrics, nothing of OpenTelemetry is imported, and no thread is started."""
    look = "import threading\nprint([one for one in sys.modules if one.startswith('opentelemetry')],"
    look += " [one.name for one in threading.enumerate() if 'telemetry' in one.name])"
    assert script(CALLS + look, MODEL_URL=simulated.base_url, **environment).split() == ["[]", "[]"]


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
    out = script(CALLS + later, MODEL_URL=simulated.base_url, LAST_WAIT="0.1")
    assert out.split() == ["False", "True"]
