"""Sums over all time as Prometheus' text format 0.0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.server.data import Gauge

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_FAMILIES: Final[tuple[tuple[str, str, Callable[[Gauge], dict[str, float]]], ...]] = (
    ("nbtokens_calls_total", "Calls.", lambda one: {"": one.calls}),
    ("nbtokens_failed_calls_total", "Calls that failed.", lambda one: {"": one.failed_calls}),
    (
        "nbtokens_unpriced_calls_total",
        "Calls whose price is not known; they are not in the cost.",
        lambda one: {"": one.unpriced_calls},
    ),
    (
        "nbtokens_tokens_total",
        "Tokens, by type.",
        lambda one: {"input": one.input_tokens, "output": one.output_tokens},
    ),
    ("nbtokens_cost_usd_total", "Cost in USD of the calls that have a price.", lambda one: {"": one.cost_usd}),
    (
        "nbtokens_call_duration_seconds_total",
        "Seconds from sending to the last byte.",
        lambda one: {"": one.duration_s},
    ),
)
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def exposition(gauges: Iterable[Gauge]) -> str:
    """All families, each with its help and type."""
    ordered = list(gauges)
    lines: list[str] = []
    for name, about, values_of in _FAMILIES:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} counter"]
        for one in ordered:
            labels = {"provider": one.provider, "model": one.model, "operation": one.operation, "user": one.user}
            for kind, value in values_of(one).items():
                own = {**labels, "type": kind} if kind else labels
                lines.append(f"{name}{{{_labels(own)}}} {value!r}")
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str | None]) -> str:
    return ",".join(f'{name}="{(value or "").translate(_ESCAPES)}"' for name, value in labels.items())
