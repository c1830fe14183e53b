"""Telling those outside of nbtokens of a record: the log always, OpenTelemetry where it is set up.

Nothing of OpenTelemetry is imported here.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Protocol

from nbtokens.context import metrics_destination
from nbtokens.escapes import installed
from nbtokens.guard import guarded
from nbtokens.usage_log import log_call

if TYPE_CHECKING:
    from nbtokens.record import Record

_SDK: Final = "opentelemetry.sdk.metrics"


class Exporter(Protocol):
    """Takes records; never waits."""

    @property
    def goes_elsewhere(self) -> bool:
        """Whether the process has a MeterProvider, which gets them."""

    @property
    def problem(self) -> str | None:
        """Why nothing is sent, or the last sending failed; None where all is well."""

    def take(self, record: Record) -> None:
        """Take one more."""


class _Outside:
    """The exporter of this process; None until there is something to export to."""

    exporter: Exporter | None = None
    process: int = 0


def tell_outside(record: Record) -> None:
    """Tell of a record that was kept. Never raises, never waits."""
    log_call(record)
    if record.kind == "call" and (_SDK in sys.modules or metrics_destination() is not None):
        with guarded:
            _exporter().take(record)


def get_ready() -> None:
    """Begin to load what sends by gRPC: when a process ends soon after its first call it is too late for that."""
    to = metrics_destination()
    if to is not None and to.protocol == "grpc":
        with guarded:
            _exporter()


def metrics_facts() -> dict[str, str | None]:
    """Where metrics go and what stands in the way, by the environment and by what was tried; nobody is asked."""
    exporter, to = _Outside.exporter, metrics_destination()
    if exporter is not None and exporter.goes_elsewhere:
        return {"sent_to": "the MeterProvider of this process"}
    if to is None:
        return {"sent_to": None}
    facts = {"sent_to": to.shown, "protocol": to.protocol, "last_error": exporter.problem if exporter else None}
    if to.unknown is not None:
        facts["advice"] = f"OTEL_EXPORTER_OTLP_PROTOCOL={to.unknown} is not known here: {to.protocol}, or grpc"
    if to.package not in installed((to.package,)):
        facts |= {"last_error": f"{to.package} is not installed", "advice": f"pip install {to.package}"}
    return facts


def _exporter() -> Exporter:
    if _Outside.exporter is None or _Outside.process != os.getpid():  # a forked child has none of its parent's threads
        from nbtokens.telemetry.export import Background  # noqa: PLC0415 - only where metrics are wanted

        _Outside.exporter, _Outside.process = Background(metrics_destination), os.getpid()
    return _Outside.exporter
