"""Telling those outside of nbtokens of a record: the log always, OpenTelemetry where it is set up.

Nothing of OpenTelemetry is imported here.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Protocol

from nbtokens.context import names_endpoint
from nbtokens.guard import guarded
from nbtokens.usage_log import log_call

if TYPE_CHECKING:
    from nbtokens.record import Record

_SDK: Final = "opentelemetry.sdk.metrics"


class Exporter(Protocol):
    """Takes records; never waits."""

    def take(self, record: Record) -> None:
        """Take one more."""


class _Outside:
    """The exporter of this process; None until there is something to export to."""

    exporter: Exporter | None = None
    process: int = 0


def tell_outside(record: Record) -> None:
    """Tell of a record that was kept. Never raises, never waits."""
    log_call(record)
    if record.kind == "call" and (_SDK in sys.modules or names_endpoint()):
        with guarded:
            _exporter().take(record)


def _exporter() -> Exporter:
    if _Outside.exporter is None or _Outside.process != os.getpid():  # a forked child has none of its parent's threads
        from nbtokens.telemetry.export import Background  # noqa: PLC0415 - only where metrics are wanted

        _Outside.exporter, _Outside.process = Background(names_endpoint), os.getpid()
    return _Outside.exporter
