"""Sending metrics where the environment says, by an SDK that is set up for nbtokens alone."""

from __future__ import annotations

import logging
import math
import uuid
from importlib import import_module
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nbtokens.otlp import Destination

_TALKERS: Final = ("opentelemetry", "urllib3", "requests", "grpc")
_FLUSH_MS: Final = 2000


class Sender:
    """Sends by the SDK's exporter. Made and used on one thread, which waits for the collector; no other does.

    Args:
        to: where to.

    Attributes:
        provider: the SDK's MeterProvider. It is not made the process's own, which is the user's to choose.
        problem: why the last sending failed; None where it did not.

    Raises:
        ImportError: the SDK or its exporter is not installed.
        Exception: the exporter's own, where it can't do what the environment asks for.
    """

    def __init__(self, to: Destination) -> None:
        sdk: Any = import_module("opentelemetry.sdk.metrics")
        reading: Any = import_module("opentelemetry.sdk.metrics.export")
        exporting: Any = import_module(to.module)
        self._hush = _Hush()
        self._hush.begin()
        self._exporter = _Watched(exporting.OTLPMetricExporter())
        # No thread and no pool of the SDK's: neither can be begun in a process that ends soon after its first call.
        reader = reading.PeriodicExportingMetricReader(self._exporter, export_interval_millis=math.inf)
        self.provider = sdk.MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
        self.problem: str | None = None

    def send(self) -> None:
        """Send all that was counted. Takes as long as the exporter tries; never raises."""
        self._hush.begin()
        self._exporter.failed = False
        try:
            self.provider.force_flush(_FLUSH_MS)
        except Exception as error:  # noqa: BLE001 - nobody listens: that is no fault of ours
            self.problem = str(error) or type(error).__name__
        else:
            self.problem = (self._hush.said or "the collector did not take them") if self._exporter.failed else None


class _Watched:
    """An exporter of which can be told whether it has failed."""

    def __init__(self, exporter: Any) -> None:  # noqa: ANN401 - the SDK's MetricExporter
        self._exporter = exporter
        self.failed = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the exporter has
        return getattr(self._exporter, name)

    def export(self, *data: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's
        """Send."""
        self.failed = True
        result = self._exporter.export(*data, **options)
        self.failed = result.name != "SUCCESS"
        return result


class _Hush(logging.Filter):
    """Keeps what the SDK says of our sending for the doctor.

    Where no handler is set up, Python prints warnings, and that would be into the user's notebook. What the SDK says
    on other threads is of the user's own telemetry, and goes where it went before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()
        self.said: str | None = None

    def begin(self) -> None:
        """Listen from now on, also to loggers that have come since."""
        self.said = None
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if name.partition(".")[0] in _TALKERS and isinstance(logger, logging.Logger):
                logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether others may see it."""
        if get_ident() != self._thread:
            return True
        if self.said is None and record.levelno >= logging.WARNING:  # the first says why; the last that it is given up
            self.said = str(record.exc_info[1]) if record.exc_info else record.getMessage()
        return False


def _resource() -> Any:  # noqa: ANN401 - the SDK's Resource
    """Who sends: what the environment says, else nbtokens; each process under an id of its own.

    Two kernels that count the same would else be taken for one, whose sums jump.
    """
    resources: Any = import_module("opentelemetry.sdk.resources")
    version: Any = import_module("opentelemetry.sdk.version")
    ours = {
        "service.name": "nbtokens",
        "service.instance.id": str(uuid.uuid4()),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": version.__version__,
    }
    return resources.Resource(ours).merge(resources.OTELResourceDetector().detect())
